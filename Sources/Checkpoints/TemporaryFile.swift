#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The place where an output is written before it has its name.
///
/// On Linux a file without any name (`O_TMPFILE`), which disappears with its process. Where that is missing, a hidden
/// file `.clipkit-tmp-…` that holds a lock; the next run in that directory sweeps those whose lock is free.
final class TemporaryFile {
  static let prefix = ".clipkit-tmp-"
  private let directory: String
  private var descriptor: Int32
  private var name: String?

  init(besides path: String) throws(FileError) {
    directory = Self.parent(of: path)
    Self.sweep(directory)
    descriptor = Self.openUnnamed(in: directory)
    guard descriptor < 0 else {
      // The lock is what keeps the file from being swept while `commit` has given it a hidden name.
      flock(descriptor, LOCK_EX | LOCK_NB)
      return
    }
    var name = ""
    repeat {
      name = Self.newName(in: directory)
      descriptor = InterruptCleanup.create(name) { open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
      guard descriptor >= 0 else { throw FileError.system("cannot create", path: path) }
    } while !Self.lock(descriptor, name: name)
    self.name = name
  }

  /// Locks what has just been created under `name`. False, and closed, when another run swept it before the lock.
  static func lock(_ descriptor: Int32, name: String) -> Bool {
    flock(descriptor, LOCK_EX)
    var info = stat()
    guard lstat(name, &info) != 0, errno == ENOENT else { return true }
    InterruptCleanup.remove(name)
    close(descriptor)
    return false
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    removeName()
  }

  private func removeName() {
    guard let name else { return }
    unlink(name)
    InterruptCleanup.remove(name)
    self.name = nil
  }

  /// The directory part of a path, `.` when there is none.
  static func parent(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    let parent = String(path[..<slash])
    return parent.isEmpty ? "/" : parent
  }

  /// Throws unless the directory that `path` is in exists and may be written.
  static func checkDirectory(of path: String) throws(FileError) {
    let directory = parent(of: path)
    // A path that ends in a slash must lead to a directory.
    guard access("\(directory)/", W_OK | X_OK) == 0 else { throw FileError.system("cannot create", path: path) }
  }

  /// A hidden name in `directory` that nothing has yet.
  static func newName(in directory: String) -> String {
    "\(directory)/\(prefix)\(getpid())-\(String(UInt32.random(in: 0...UInt32.max), radix: 16))"
  }

  /// A file without a name, or -1 where there is no such thing, or no `/proc` to name it through later.
  private static func openUnnamed(in directory: String) -> Int32 {
    #if os(Linux)
      let unnamed = 0o20000000 | O_DIRECTORY  // O_TMPFILE, which Glibc shows only with _GNU_SOURCE
      let descriptor = open(directory, unnamed | O_RDWR | O_CLOEXEC, 0o666)
      guard descriptor >= 0, access(procPath(descriptor), F_OK) != 0 else { return descriptor }
      close(descriptor)
    #endif
    return -1
  }

  private static func procPath(_ descriptor: Int32) -> String { "/proc/self/fd/\(descriptor)" }

  /// Where to write and read back, from any thread, while the temporary file lives.
  var target: WritableFile { WritableFile(descriptor: descriptor) }

  func commit(to path: String, replacing: Bool, sync: Bool) throws(FileError) {
    func check(_ result: Int32, _ what: String) throws(FileError) {
      guard result == 0 else {
        throw FileError(errno == EEXIST ? .cannotCreate : .io, "\(what): \(systemMessage(errno))", file: path)
      }
    }
    if sync { try check(fsync(descriptor), "cannot flush") }
    // Some file systems report a failed write only when a descriptor closes; ours must stay open for the link.
    try check(close(dup(descriptor)), "cannot close")
    var old = stat()
    // Not the set-user-ID bits: the new file may have another owner.
    if replacing, stat(path, &old) == 0 { try check(fchmod(descriptor, old.st_mode & 0o777), "cannot set the mode") }
    if name == nil, linkUnnamed(to: path) != 0 {
      // Only a rename replaces, and only a name can be renamed.
      try check(replacing && errno == EEXIST ? 0 : -1, "cannot create")
      try giveHiddenName(reportedAs: path)
    }
    if let name {
      try check(replacing ? rename(name, path) : renameWithoutReplacing(name, path), "cannot create")
      InterruptCleanup.remove(name)
      self.name = nil
    }
  }

  /// Not every file system has a rename that never replaces, and not every one has links.
  private func renameWithoutReplacing(_ name: String, _ path: String) -> Int32 {
    if Rename.withoutReplacing(name, path) == 0 { return 0 }
    guard errno == EINVAL || errno == ENOSYS, link(name, path) == 0 else { return -1 }
    unlink(name)
    return 0
  }

  private func giveHiddenName(reportedAs path: String) throws(FileError) {
    let hidden = Self.newName(in: directory)
    guard InterruptCleanup.create(hidden, { linkUnnamed(to: hidden) }) == 0 else {
      throw FileError(.io, "cannot create: \(systemMessage(errno))", file: path)
    }
    name = hidden
  }

  private func linkUnnamed(to path: String) -> Int32 {
    linkat(AT_FDCWD, Self.procPath(descriptor), AT_FDCWD, path, AT_SYMLINK_FOLLOW)
  }

  /// Flushes the directory that `path` is in, so that its new name survives a power cut.
  static func flushDirectory(of path: String) throws(FileError) {
    let descriptor = open(parent(of: path), O_RDONLY | O_CLOEXEC)
    defer { if descriptor >= 0 { close(descriptor) } }
    guard descriptor < 0 || fsync(descriptor) != 0 else { return }
    throw FileError(
      .io, "is written and in its place, but its directory cannot be flushed: \(systemMessage(errno))", file: path,
      hint: "The output is complete; a power cut could still take its name away")
  }

  /// Removes hidden files whose writer died: nobody holds their lock.
  static func sweep(_ directory: String) {
    guard let stream = opendir(directory) else { return }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.hasPrefix(prefix) else { continue }
      let path = "\(directory)/\(name)"
      let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      guard descriptor >= 0 else { continue }
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { OutputDirectory.removeTree(path) }
      close(descriptor)
    }
  }
}

/// An open file that several threads may write at different places.
struct WritableFile: Sendable {
  let descriptor: Int32

  func write(_ buffer: UnsafeRawBufferPointer, at offset: Int, reportedAs path: String) throws(FileError) {
    var done = 0
    while done < buffer.count {
      let result = pwrite(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if result >= 0 {
        done += result
      } else if errno != EINTR {
        throw FileError(.io, "cannot write: \(systemMessage(errno))", file: path, offset: offset + done)
      }
    }
  }
}
