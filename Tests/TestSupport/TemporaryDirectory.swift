import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// An empty directory that goes with its last reference.
public final class TemporaryDirectory: Sendable {
  /// Where it is, without a trailing slash.
  public let path: String

  /// Creates it below the system's directory for temporary files.
  public init() throws {
    var template = Array("/tmp/clipkit-tests-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw FileError(.io, "cannot create a temporary directory") }
    path = String(cString: made)
  }

  /// The path of a file in it.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file, replacing one, and returns its path.
  @discardableResult public func write(_ bytes: [UInt8], to name: String) throws -> String {
    let writer = try FileWriter(file(name), policy: FileWriter.Policy(force: true))
    try writer.write(bytes)
    try writer.commit()
    return file(name)
  }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    if unlink(path) == 0 { return }
    for entry in (try? OutputDirectory.entries(of: path)) ?? [] { remove("\(path)/\(entry)") }
    rmdir(path)
  }
}
