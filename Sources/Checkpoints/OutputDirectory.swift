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
  private var folders: Set<String> = []
  private var superseded: Set<String> = []

  /// Checks that the directory may be created, and begins.
  public init(_ path: String, policy: FileWriter.Policy = FileWriter.Policy()) throws(FileError) {
    try Self.check(path, policy: policy)
    self.path = Self.trimmed(path)
    self.policy = policy
    let parent = TemporaryFile.parent(of: self.path)
    TemporaryFile.sweep(parent)
    var hidden: String
    repeat {
      hidden = TemporaryFile.newName(in: parent)
      guard InterruptCleanup.create(hidden, { mkdir(hidden, 0o777) }) == 0 else {
        throw FileError.system("cannot create", path: self.path)
      }
      lock = open(hidden, O_RDONLY | O_CLOEXEC)
    } while !TemporaryFile.lock(lock, name: hidden)
    self.hidden = hidden
  }

  deinit {
    if let hidden {
      Self.removeTree(hidden)
      InterruptCleanup.remove(hidden)
    }
    if lock >= 0 { close(lock) }
  }

  private static func trimmed(_ path: String) -> String {
    var trimmed = path
    while trimmed.utf8.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    return trimmed
  }

  /// Throws unless a directory may be created at `path`.
  public static func check(_ path: String, policy: FileWriter.Policy) throws(FileError) {
    let path = trimmed(path)
    guard !path.isEmpty else { throw FileError(.usage, "output '' is not a directory's name") }
    var info = stat()
    guard lstat(path, &info) == 0 else {
      guard errno == ENOENT else { throw FileError.system("cannot create", path: path) }
      return try TemporaryFile.checkDirectory(of: path)
    }
    let entries = isDirectory(path) ? try entries(of: path) : []
    for entry in entries {
      // Folders of outputs hold no folders.
      let inner = isFolder("\(path)/\(entry)") ? try Self.entries(of: "\(path)/\(entry)") : []
      for name in [entry] + inner.map({ "\(entry)/\($0)" }) {
        if let identity = FileIdentity(path: "\(path)/\(name)"), policy.inputs.contains(identity) {
          throw FileError(.usage, "the output is the input", file: path, hint: "Choose another output")
        }
      }
    }
    guard info.st_mode & S_IFMT != S_IFLNK else {
      throw FileError(.cannotCreate, "output is a symbolic link", file: path, hint: "Name the directory it leads to")
    }
    guard info.st_mode & S_IFMT == S_IFDIR else {
      throw FileError(.cannotCreate, "output is not a directory", file: path)
    }
    guard policy.force || entries.isEmpty else {
      throw FileError(.cannotCreate, "output exists", file: path, hint: "Use --force to replace it")
    }
    try TemporaryFile.checkDirectory(of: path)
  }

  /// Begins a file in the directory, or in a folder of it; it is part of the output once it is committed.
  public func file(_ name: String) throws(FileError) -> FileWriter {
    guard let hidden else { throw FileError(.io, "the directory is complete already", file: path) }
    names.append(name)
    if let slash = name.utf8.firstIndex(of: UInt8(ascii: "/")) {
      let folder = String(name[..<slash])
      guard mkdir("\(hidden)/\(folder)", 0o777) == 0 || errno == EEXIST else {
        throw FileError.system("cannot create", path: "\(path)/\(folder)")
      }
      folders.insert(folder)
    }
    return try FileWriter(
      "\(path)/\(name)", policy: FileWriter.Policy(sync: policy.sync), at: "\(hidden)/\(name)")
  }

  /// Lets a file of the old directory go that only one of its replaced files needed.
  public func supersede(_ name: String) { superseded.insert(name) }

  /// Gives the directory its name. Replacing one, everything in it must be a file that is written anew: somebody
  /// else's files are never deleted.
  public func commit() throws(FileError) {
    guard let hidden else { return }
    try Self.check(path, policy: policy)
    let old = FileIdentity(path: path) == nil ? [] : try Self.entries(of: path)
    for entry in old { try keepMode(of: entry, in: hidden) }
    keepMode(from: path, to: hidden)
    if policy.sync {
      // A folder's own entry is flushed with the directory.
      for folder in folders.sorted() { try TemporaryFile.flushDirectory(of: "\(hidden)/\(folder)/") }
      guard fsync(lock) == 0 else { throw FileError(.io, "cannot flush: \(systemMessage(errno))", file: path) }
    }
    if old.isEmpty {
      guard rename(hidden, path) == 0 else {
        throw FileError(
          errno == ENOTEMPTY || errno == EEXIST ? .cannotCreate : .io, "cannot rename: \(systemMessage(errno))",
          file: path)
      }
      InterruptCleanup.remove(hidden)
      self.hidden = nil
    } else if Rename.exchanging(hidden, path) != 0 {
      throw FileError(
        .io, "cannot replace: \(systemMessage(errno))", file: path, hint: "Remove the old directory, or choose another")
    }
    // What has the hidden name now, if anything, is the old directory; it goes with this object.
    if policy.sync { try TemporaryFile.flushDirectory(of: path) }
  }

  /// Gives a new file the mode of the old one that it replaces; throws when it replaces none.
  private func keepMode(of entry: String, in hidden: String) throws(FileError) {
    if folders.contains(entry), Self.isFolder("\(path)/\(entry)") {
      for inner in try Self.entries(of: "\(path)/\(entry)") { try keepMode(of: "\(entry)/\(inner)", in: hidden) }
      return keepMode(from: "\(path)/\(entry)", to: "\(hidden)/\(entry)")
    }
    var info = stat()
    let isFile = lstat("\(path)/\(entry)", &info) == 0 && info.st_mode & S_IFMT == S_IFREG
    if isFile, superseded.contains(entry), !names.contains(entry) { return }
    guard isFile, names.contains(entry) else {
      throw FileError(
        .cannotCreate, "output holds '\(escaped(entry))', which this does not replace", file: path,
        hint: "Choose another directory")
    }
    keepMode(from: "\(path)/\(entry)", to: "\(hidden)/\(entry)")
  }

  private func keepMode(from old: String, to new: String) {
    var info = stat()
    if stat(old, &info) == 0 { chmod(new, info.st_mode & 0o777) }
  }

  /// Whether it is a directory itself, not a link to one.
  private static func isFolder(_ path: String) -> Bool {
    var info = stat()
    return lstat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
  }

  /// The names in a directory, without `.` and `..`, in the order of their bytes.
  public static func entries(of path: String) throws(FileError) -> [String] {
    guard let stream = opendir(path) else { throw FileError.system("cannot list", path: path, reading: true) }
    defer { closedir(stream) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
      errno = 0
    }
    // Half a list would hide files that must not be replaced.
    guard errno == 0 else { throw FileError.system("cannot list", path: path, reading: true) }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Removes a file, or a directory and what is in it, without following links; whether it is gone.
  @discardableResult static func removeTree(_ path: String) -> Bool {
    if unlink(path) == 0 || errno == ENOENT { return true }
    for entry in (try? entries(of: path)) ?? [] { removeTree("\(path)/\(entry)") }
    return rmdir(path) == 0
  }
}
