internal import CSystem

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Writes a directory of files, all or nothing: a hidden directory beside the output takes its name in one step.
public final class OutputDirectory {
  /// The output's path, without a trailing slash.
  public let path: String
  private let policy: FileWriter.Policy
  private var hidden: String?
  private var lock: Int32 = -1
  private var names: [String] = []

  /// Checks that the directory may be created, and begins.
  public init(_ path: String, policy: FileWriter.Policy = FileWriter.Policy()) throws(FileError) {
    var trimmed = path
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    self.path = trimmed
    self.policy = policy
    try check()
    let hidden = TemporaryFile.newName(in: TemporaryFile.parent(of: trimmed))
    guard mkdir(hidden, 0o777) == 0 else { throw FileError.system("cannot create", path: trimmed) }
    lock = open(hidden, O_RDONLY | O_CLOEXEC)
    flock(lock, LOCK_EX | LOCK_NB)
    InterruptCleanup.add(hidden)
    self.hidden = hidden
  }

  deinit {
    if let hidden {
      Self.removeTree(hidden)
      InterruptCleanup.remove(hidden)
    }
    if lock >= 0 { close(lock) }
  }

  private func check() throws(FileError) {
    var info = stat()
    guard lstat(path, &info) == 0 else {
      if errno == ENOENT { return }
      throw FileError.system("cannot create", path: path)
    }
    guard info.st_mode & S_IFMT == S_IFDIR else {
      throw FileError(.cannotCreate, "output is not a directory", file: path)
    }
    let entries = try Self.entries(of: path)
    guard policy.force || entries.isEmpty else {
      throw FileError(.cannotCreate, "output exists", file: path, hint: "Use --force to replace it")
    }
    for entry in entries {
      if let identity = FileIdentity(path: "\(path)/\(entry)"), policy.inputs.contains(identity) {
        throw FileError(.usage, "the output is the input", file: path, hint: "Choose another output")
      }
    }
  }

  /// Begins a file in the directory; it is part of the output once it is committed.
  public func file(_ name: String) throws(FileError) -> FileWriter {
    guard let hidden else { throw FileError(.io, "the directory is complete already", file: path) }
    names.append(name)
    return try FileWriter("\(hidden)/\(name)", policy: FileWriter.Policy(sync: policy.sync))
  }

  /// Gives the directory its name. Replacing one, everything in it must be a file that is written anew: somebody
  /// else's files are never deleted.
  public func commit() throws(FileError) {
    guard let hidden else { return }
    try check()
    if FileIdentity(path: path) != nil {
      for entry in try Self.entries(of: path) where !names.contains(entry) {
        throw FileError(
          .cannotCreate, "output holds '\(escaped(entry))', which this does not replace", file: path,
          hint: "Choose another directory")
      }
      try exchange(hidden)
    } else {
      guard rename(hidden, path) == 0 else { throw FileError.system("cannot rename", path: path) }
      InterruptCleanup.remove(hidden)
      self.hidden = nil
    }
    if policy.sync { try TemporaryFile.flush(TemporaryFile.parent(of: path)) }
  }

  /// Swaps the new directory with the old one, which then goes.
  private func exchange(_ hidden: String) throws(FileError) {
    guard exchangeNames(hidden, path) == 0 else { throw FileError.system("cannot replace", path: path) }
  }

  private func exchangeNames(_ first: String, _ second: String) -> Int32 {
    #if os(Linux)
      let exchange: UInt32 = 2  // RENAME_EXCHANGE
      return ck_renameat2(first, second, exchange)
    #else
      return renamex_np(first, second, UInt32(RENAME_SWAP))
    #endif
  }

  /// The names in a directory, without `.` and `..`, in the order of their bytes.
  public static func entries(of path: String) throws(FileError) -> [String] {
    guard let stream = opendir(path) else { throw FileError.system("cannot list", path: path, reading: true) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Removes a file, or a directory and what is in it, without following links.
  static func removeTree(_ path: String) {
    if unlink(path) == 0 { return }
    for entry in (try? entries(of: path)) ?? [] { removeTree("\(path)/\(entry)") }
    rmdir(path)
  }
}
