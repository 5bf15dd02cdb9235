#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Writes one file, all or nothing.
///
/// The bytes go to a file without a name (Linux), or to a hidden one beside the output, and become the output in one
/// step in `commit()`. A process killed at any moment leaves the old file or the new one.
public final class FileWriter {
  /// What may happen to a file that is already there, and how sure to be.
  public struct Policy: Sendable {
    /// Replace an existing file.
    public var force: Bool
    /// Flush to the disk before the file gets its name, so that it survives a power cut.
    public var sync: Bool
    /// Files that are read for this output, which it must not be.
    public var inputs: [FileIdentity]

    /// By default nothing is replaced and the system flushes when it likes.
    public init(force: Bool = false, sync: Bool = false, inputs: [FileIdentity] = []) {
      self.force = force
      self.sync = sync
      self.inputs = inputs
    }
  }

  /// The output's path, as errors name it.
  public let path: String
  /// Where it is written: in a directory that is not complete, elsewhere than `path`.
  private let location: String
  /// How many bytes have been written.
  public private(set) var offset = 0
  /// Called with the number of bytes of each write, from the thread that wrote them.
  public var onProgress: (@Sendable (Int) -> Void)?
  /// A file that only the replaced output needed: removed once this one has its name.
  public var superseded: String?
  private var pending: [PendingBytes] = []
  private let policy: Policy
  private var temporary: TemporaryFile?

  /// Checks that the output may be created, and begins.
  public convenience init(_ path: String, policy: Policy = Policy()) throws(FileError) {
    try self.init(path, policy: policy, at: path)
  }

  /// Begins an output at `location` that errors name `path`.
  init(_ path: String, policy: Policy, at location: String) throws(FileError) {
    self.path = path
    self.location = location
    self.policy = policy
    do throws(FileError) {
      try Self.check(location, policy: policy)
      temporary = try TemporaryFile(besides: location)
    } catch {
      throw error.named(path)
    }
  }

  /// A writer that only counts: for `--dry-run`, and to know a size before it is written.
  public init(measuring path: String) {
    self.path = path
    location = path
    policy = Policy()
  }

  /// Whether nothing is written.
  var isMeasuring: Bool { temporary == nil }

  /// Throws unless a file may be created at `path`.
  public static func check(_ path: String, policy: Policy) throws(FileError) {
    guard !path.isEmpty, !path.hasSuffix("/") else {
      throw FileError(.usage, "output '\(path)' is not a file name")
    }
    if let identity = FileIdentity(path: path), policy.inputs.contains(identity) {
      throw FileError(.usage, "the output is the input", file: path, hint: "Choose another output")
    }
    var info = stat()
    guard lstat(path, &info) == 0 else {
      guard errno == ENOENT else { throw FileError.system("cannot create", path: path) }
      return try TemporaryFile.checkDirectory(of: path)
    }
    switch info.st_mode & S_IFMT {
    case S_IFREG:
      guard policy.force else {
        throw FileError(.cannotCreate, "output exists", file: path, hint: "Use --force to replace it")
      }
    case S_IFLNK:
      throw FileError(.cannotCreate, "output is a symbolic link", file: path, hint: "Name the file it leads to")
    case S_IFDIR:
      throw FileError(.cannotCreate, "output is a directory", file: path, hint: "Use --layout for a directory")
    default:
      throw FileError(.usage, "output is not a regular file", file: path)
    }
    try TemporaryFile.checkDirectory(of: path)
  }

  /// Appends bytes.
  public func write(_ array: [UInt8]) throws(FileError) {
    var failure: FileError?
    array.withUnsafeBytes { buffer in
      do throws(FileError) { try write(buffer) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Appends text as UTF-8.
  public func write(_ text: String) throws(FileError) { try write(Array(text.utf8)) }

  /// Appends bytes from memory.
  public func write(_ buffer: UnsafeRawBufferPointer) throws(FileError) {
    try temporary?.target.write(buffer, at: offset, reportedAs: path)
    offset += buffer.count
    onProgress?(buffer.count)
  }

  /// Appends bytes that are read and written later, at the latest in `commit()`: runs of bytes have nothing to do with
  /// one another, and while one thread writes its run another reads and converts the next.
  ///
  /// - Parameters:
  ///   - tensor: whose bytes they are, for errors.
  ///   - observe: sees every chunk in order, from one thread (a checksum, say).
  public func write(
    _ bytes: Bytes, of tensor: String? = nil, observe: (@Sendable (UnsafeRawBufferPointer) -> Void)? = nil
  ) {
    pending.append(PendingBytes(offset: offset, bytes: bytes, tensor: tensor, observe: observe))
    offset += bytes.count
  }

  /// Reads and writes what was put off. A measuring writer reads nothing.
  public func writePending() throws(FileError) {
    defer { pending = [] }
    guard let target = temporary?.target else { return }
    let order = ReadingOrder(pending.map(\.bytes))
    try order.forEach(threads: processorCount) { [path, onProgress, pending] (index) throws(FileError) in
      try pending[index].write(to: target, path: path, onProgress: onProgress)
    }
  }

  /// Appends zeros up to a multiple of `alignment`.
  public func pad(to alignment: Int) throws(FileError) {
    let gap = (alignment - offset % alignment) % alignment
    try write([UInt8](repeating: 0, count: gap))
  }

  /// Overwrites bytes that have been written already: a checksum that stands before its data.
  public func patch(_ array: [UInt8], at offset: Int) throws(FileError) {
    precondition(offset + array.count <= self.offset, "patch beyond the written bytes")
    var failure: FileError?
    array.withUnsafeBytes { buffer in
      do throws(FileError) { try temporary?.target.write(buffer, at: offset, reportedAs: path) } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  /// Gives the file its name. Without it, nothing remains.
  public func commit() throws(FileError) {
    try writePending()
    guard let temporary else { return }
    do throws(FileError) {
      // Somebody else may have created the output meanwhile.
      try Self.check(location, policy: policy)
      try temporary.commit(to: location, replacing: policy.force, sync: policy.sync)
    } catch {
      throw error.named(path)
    }
    self.temporary = nil
    try removeSuperseded()
    // In a directory that is not complete, the directory is flushed once.
    if policy.sync, location == path { try TemporaryFile.flushDirectory(of: path) }
  }
}

extension FileWriter {
  private func removeSuperseded() throws(FileError) {
    guard let superseded, unlink(superseded) != 0, errno != ENOENT else { return }
    throw FileError(
      .io, "is written and in its place, but a file of the old one cannot be removed: \(systemMessage(errno))",
      file: superseded)
  }
}

/// Bytes with their place in a file, not read yet.
private struct PendingBytes: Sendable {
  let offset: Int
  let bytes: Bytes
  let tensor: String?
  let observe: (@Sendable (UnsafeRawBufferPointer) -> Void)?

  func write(to file: WritableFile, path: String, onProgress: (@Sendable (Int) -> Void)?) throws(FileError) {
    var position = offset
    do throws(FileError) {
      try bytes.forEachChunk { (chunk) throws(FileError) in
        observe?(chunk)
        try file.write(chunk, at: position, reportedAs: path)
        position += chunk.count
        onProgress?(chunk.count)
      }
    } catch {
      throw error.located(tensor: tensor)
    }
  }
}
