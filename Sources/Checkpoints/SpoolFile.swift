#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Bytes that are written in order and read back later: results that would not fit in memory, until it is known how many
/// they are.
///
/// They lie beside the output, in a file without a name that goes with its last reader.
public final class SpoolFile {
  private let path: String
  private let temporary: TemporaryFile
  private var offset = 0

  /// Begins a file in the directory of the output `path`, which errors name.
  public init(besides path: String) throws(FileError) {
    self.path = path
    temporary = try TemporaryFile(besides: path)
  }

  /// Appends bytes from memory.
  public func append(_ buffer: UnsafeRawBufferPointer) throws(FileError) {
    try temporary.target.write(buffer, at: offset, reportedAs: path)
    offset += buffer.count
  }

  /// What has been written so far; it stays readable when this object has gone.
  public func bytes() throws(FileError) -> Bytes {
    let descriptor = dup(temporary.target.descriptor)
    guard descriptor >= 0 else { throw FileError.system("cannot read back", path: path) }
    return Bytes(SpooledBytes(path: path, descriptor: descriptor, count: offset))
  }
}

private final class SpooledBytes: ByteSource {
  private let path: String
  private let file: ReadableFile
  var count: Int { file.count }

  init(path: String, descriptor: Int32, count: Int) {
    self.path = path
    file = ReadableFile(descriptor: descriptor, count: count)
  }

  deinit { close(file.descriptor) }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try file.read(at: offset, into: buffer, reportedAs: path)
  }
}
