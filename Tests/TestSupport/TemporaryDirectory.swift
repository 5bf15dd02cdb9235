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
    let path = file(name)
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
    defer { if descriptor >= 0 { close(descriptor) } }
    var done = 0
    while descriptor >= 0, done < bytes.count {
      let result = bytes.withUnsafeBytes { writeSome(descriptor, $0.baseAddress! + done, bytes.count - done) }
      guard result > 0 else { break }
      done += result
    }
    guard descriptor >= 0, done == bytes.count else { throw FileError(.io, "cannot write", file: path) }
    return path
  }

  /// Gives a file a size: cuts it, or adds zeros that take no space on the disk.
  public func resize(_ name: String, to size: Int) throws {
    guard truncate(file(name), off_t(size)) == 0 else { throw FileError(.io, "cannot resize", file: file(name)) }
  }

  /// Removes a file in it.
  public func remove(_ name: String) { unlink(file(name)) }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    if unlink(path) == 0 { return }
    for entry in (try? OutputDirectory.entries(of: path)) ?? [] { remove("\(path)/\(entry)") }
    rmdir(path)
  }
}

/// `write(2)`, whose name the method above hides.
private func writeSome(_ descriptor: Int32, _ buffer: UnsafeRawPointer, _ count: Int) -> Int {
  write(descriptor, buffer, count)
}
