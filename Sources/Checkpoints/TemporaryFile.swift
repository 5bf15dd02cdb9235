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
    if descriptor < 0 {
      let name = Self.newName(in: directory)
      descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else { throw FileError.system("cannot create", path: path) }
      self.name = name
      InterruptCleanup.add(name)
    }
    flock(descriptor, LOCK_EX | LOCK_NB)
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

  /// A hidden name in `directory` that nothing has yet.
  static func newName(in directory: String) -> String {
    "\(directory)/\(prefix)\(getpid())-\(String(UInt32.random(in: 0...UInt32.max), radix: 16))"
  }

  private static func openUnnamed(in directory: String) -> Int32 {
    #if os(Linux)
      let unnamed = 0o20000000 | O_DIRECTORY  // O_TMPFILE, which Glibc shows only with _GNU_SOURCE
      return open(directory, unnamed | O_WRONLY | O_CLOEXEC, 0o666)
    #else
      return -1
    #endif
  }

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

  func commit(to path: String, replacing: Bool, sync: Bool) throws(FileError) {
    func check(_ result: Int32, _ what: String) throws(FileError) {
      guard result == 0 else {
        throw FileError(errno == EEXIST ? .cannotCreate : .io, "\(what): \(systemMessage(errno))", file: path)
      }
    }
    if sync { try check(fsync(descriptor), "cannot flush") }
    // Some file systems report a failed write only when a descriptor closes; ours must stay open for the link.
    try check(close(dup(descriptor)), "cannot close")
    if replacing {
      var old = stat()
      if stat(path, &old) == 0 { fchmod(descriptor, old.st_mode & 0o7777) }
      try giveHiddenName(path)
      try check(rename(name!, path), "cannot rename")
      InterruptCleanup.remove(name!)
      name = nil
    } else if let name {
      try check(link(name, path), "cannot create")
      removeName()
    } else {
      try check(linkUnnamed(to: path), "cannot create")
    }
    if sync { try Self.flush(directory) }
  }

  private func giveHiddenName(_ path: String) throws(FileError) {
    guard name == nil else { return }
    let hidden = Self.newName(in: directory)
    guard linkUnnamed(to: hidden) == 0 else {
      throw FileError(.io, "cannot create: \(systemMessage(errno))", file: path)
    }
    name = hidden
    InterruptCleanup.add(hidden)
  }

  private func linkUnnamed(to path: String) -> Int32 {
    linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, path, AT_SYMLINK_FOLLOW)
  }

  /// Flushes a directory, so that a new name in it survives a power cut.
  static func flush(_ directory: String) throws(FileError) {
    let descriptor = open(directory, O_RDONLY | O_CLOEXEC)
    defer { if descriptor >= 0 { close(descriptor) } }
    guard descriptor >= 0, fsync(descriptor) == 0 else { throw FileError.system("cannot flush", path: directory) }
  }

  /// Removes hidden files whose writer died: nobody holds their lock.
  private static func sweep(_ directory: String) {
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
