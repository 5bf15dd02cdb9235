#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A regular file opened for reading.
///
/// Files are read with `pread`, never mapped: a file that another process truncates, or a disk that fails, gives an
/// error with an offset instead of a signal, and no page of it stays resident.
public final class InputFile: ByteSource {
  /// The path as the user gave it.
  public let path: String
  /// The size when the file was opened.
  public let count: Int
  /// Device and inode: two paths that agree in both are one file.
  public let identity: FileIdentity
  private let descriptor: Int32

  /// Opens a regular file; anything else (a directory, a FIFO, a device) is refused without blocking.
  public init(_ path: String) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileError.system("cannot open", path: path, reading: true) }
    var info = stat()
    guard fstat(descriptor, &info) == 0 else {
      close(descriptor)
      throw FileError.system("cannot read", path: path, reading: true)
    }
    guard info.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw FileError(.missing, "not a regular file", file: path)
    }
    self.path = path
    self.descriptor = descriptor
    count = Int(info.st_size)
    identity = FileIdentity(info)
  }

  deinit { close(descriptor) }

  /// Fills `buffer` from `offset` on; throws `io` when the file fails or has shrunk since it was opened.
  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try ReadableFile(descriptor: descriptor, count: count).read(at: offset, into: buffer, reportedAs: path)
  }

  /// The first bytes, at most `length`.
  public func head(_ length: Int) throws(FileError) -> [UInt8] {
    try Bytes(self).slice(0, min(length, count)).load()
  }
}

/// An open file of `count` bytes that several threads may read at different places.
struct ReadableFile: Sendable {
  let descriptor: Int32
  let count: Int

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer, reportedAs path: String) throws(FileError) {
    var done = 0
    while done < buffer.count {
      let result = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if result > 0 {
        done += result
      } else if result == 0 {
        throw FileError(
          .io, "file shrank while it was read: \(count) bytes when opened", file: path, offset: offset + done)
      } else if errno != EINTR {
        throw FileError(.io, "cannot read: \(systemMessage(errno))", file: path, offset: offset + done)
      }
    }
  }
}

/// Device and inode of a file.
public struct FileIdentity: Hashable, Sendable {
  private let device: UInt64
  private let inode: UInt64

  init(_ info: stat) {
    device = UInt64(truncatingIfNeeded: info.st_dev)
    inode = UInt64(info.st_ino)
  }

  /// The identity of what `path` leads to, or nil when there is nothing.
  public init?(path: String) {
    var info = stat()
    guard stat(path, &info) == 0 else { return nil }
    self.init(info)
  }
}

/// The operating system's words for an `errno`.
func systemMessage(_ number: Int32) -> String { String(cString: strerror(number)) }

extension FileError {
  /// The error for a failed system call on `path`, from `errno`.
  static func system(_ what: String, path: String, reading: Bool = false) -> FileError {
    let number = errno
    let kind: Kind =
      switch number {
      case EACCES, EPERM: .permission
      case ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, ENXIO: reading ? .missing : .cannotCreate
      case EEXIST, EISDIR: .cannotCreate
      case EROFS where !reading: .cannotCreate
      default: .io
      }
    return FileError(kind, "\(what): \(systemMessage(number))", file: path)
  }
}

/// Whether the path leads to a directory.
public func isDirectory(_ path: String) -> Bool {
  var info = stat()
  return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
}

/// The last component of a path.
public func lastComponent(of path: String) -> String {
  path.split(separator: "/").last.map(String.init) ?? path
}
