import Checkpoints
import TestSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A temporary directory that `clipkit` runs in, with `tiny.safetensors`.
struct Workplace {
  private let directory: TemporaryDirectory
  var path: String { directory.path }

  init() throws {
    directory = try TemporaryDirectory()
    try write(tinySafetensors, to: "tiny.safetensors")
  }

  /// Runs `clipkit` in the directory.
  func run(_ arguments: String..., script: String = "exec \"$@\"") throws -> ClipkitRun {
    try start(arguments, script: script).wait()
  }

  /// Starts `clipkit` in the directory.
  func start(_ arguments: [String], script: String = "exec \"$@\"") throws -> Clipkit {
    try Clipkit(arguments, script: "cd '\(path)' || exit 99; \(script)")
  }

  func file(_ name: String) -> String { directory.file(name) }

  @discardableResult func write(_ bytes: [UInt8], to name: String) throws -> String {
    try directory.write(bytes, to: name)
  }

  /// What a file holds.
  func bytes(_ name: String) throws -> [UInt8] { try Bytes(InputFile(file(name))).load() }

  /// The names in the directory, or in one of its directories, hidden ones too.
  func entries(_ name: String = "") throws -> [String] { try OutputDirectory.entries(of: "\(path)/\(name)") }

  /// Device, inode, mode and time of the last change: what tells an untouched file.
  func status(_ name: String) throws -> [Int] {
    var info = stat()
    guard lstat(file(name), &info) == 0 else { throw FileError(.missing, "not there", file: name) }
    #if canImport(Glibc)
      let time = info.st_mtim
    #else
      let time = info.st_mtimespec
    #endif
    return [Int(info.st_dev), Int(info.st_ino), Int(info.st_mode), time.tv_sec, time.tv_nsec]
  }

  func mode(_ name: String) throws -> Int { try status(name)[2] & 0o7777 }
}

/// A file whose conversion takes long enough to be met halfway: `tensors` tensors of equal size, zeros on no disk block.
func writeLarge(_ path: String, megabytes: Int, tensors: Int = 1) throws {
  let size = (megabytes << 20) / tensors
  let entries = (0..<tensors).map {
    #""t\#($0)":{"dtype":"F32","shape":[\#(size / 4)],"data_offsets":[\#($0 * size),\#(($0 + 1) * size)]}"#
  }
  try writeSparse(path, head: safetensors("{\(entries.joined(separator: ","))}", data: []), zeros: tensors * size)
}

/// A file of some bytes and then zeros on no disk block.
func writeSparse(_ path: String, head: [UInt8], zeros: Int) throws {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
  guard descriptor >= 0 else { throw FileError(.io, "cannot create", file: path) }
  defer { close(descriptor) }
  guard write(descriptor, head, head.count) == head.count, ftruncate(descriptor, off_t(head.count + zeros)) == 0
  else { throw FileError(.io, "cannot write", file: path) }
}
