import Checkpoints

#if canImport(Glibc)
  @preconcurrency import Glibc
#else
  import Darwin
#endif

/// What a finished run of `clipkit` left.
package struct ClipkitRun: Sendable {
  /// The exit code; nil when a signal ended it.
  package var exitCode: Int32?
  /// The signal that ended it.
  package var signal: Int32?
  /// What it wrote to stdout.
  package var stdout: String
  /// What it wrote to stderr.
  package var stderr: String
  /// Processor time, in seconds: unlike the wall's, not stretched by what else the machine does.
  package var processorTime: Double
}

/// The built `clipkit` as a process.
package final class Clipkit {
  /// Its identifier.
  package let process: Int32
  private let directory: TemporaryDirectory

  /// Runs `clipkit` and waits for it.
  ///
  /// `script` is shell code that sets up the process and ends in the command, `"$@"`: redirections, limits, variables.
  package static func run(_ arguments: String..., script: String = "exec \"$@\"") throws -> ClipkitRun {
    try Clipkit(arguments, script: script).wait()
  }

  /// Starts `clipkit`; with a script that ends in `exec "$@"`, `process` is its own.
  package init(_ arguments: [String], script: String = "exec \"$@\"") throws {
    directory = try TemporaryDirectory()
    let words = ["/bin/sh", "-c", script, "sh", Self.path] + arguments
    var pointers = words.map { strdup($0) } + [nil]
    defer { pointers.forEach { free($0) } }
    #if canImport(Glibc)
      var actions = posix_spawn_file_actions_t()
    #else
      var actions: posix_spawn_file_actions_t?
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    for (descriptor, name) in [(Int32(1), "stdout"), (2, "stderr")] {
      posix_spawn_file_actions_addopen(
        &actions, descriptor, directory.file(name), O_WRONLY | O_CREAT | O_APPEND, 0o600)
    }
    var process: pid_t = 0
    let result = posix_spawn(&process, "/bin/sh", &actions, nil, &pointers, environ)
    guard result == 0 else { throw FileError(.io, "cannot run /bin/sh: \(String(cString: strerror(result)))") }
    self.process = process
  }

  #if os(Linux)
    /// Waits until the process has opened a file of that name; false when it ends, or after 10 seconds.
    package func waitUntilOpen(_ name: String) -> Bool {
      for _ in 0..<10_000 {
        let descriptors = "/proc/\(process)/fd"
        for entry in (try? OutputDirectory.entries(of: descriptors)) ?? [] {
          guard let target = realpath("\(descriptors)/\(entry)", nil) else { continue }
          defer { free(target) }
          if lastComponent(of: String(cString: target)) == name { return true }
        }
        usleep(1000)
      }
      return false
    }
  #endif

  /// Waits for the end.
  package func wait() throws -> ClipkitRun {
    var status: Int32 = 0
    var usage = rusage()
    while wait4(process, &status, 0, &usage) < 0 {
      guard errno == EINTR else { throw FileError(.io, "cannot wait for clipkit") }
    }
    let signal = status & 0x7F
    let times = [usage.ru_utime, usage.ru_stime].map { Double($0.tv_sec) + Double($0.tv_usec) * 1e-6 }
    return ClipkitRun(
      exitCode: signal == 0 ? status >> 8 & 0xFF : nil, signal: signal == 0 ? nil : signal,
      stdout: try text("stdout"), stderr: try text("stderr"), processorTime: times[0] + times[1])
  }

  private func text(_ name: String) throws -> String {
    String(decoding: try Bytes(InputFile(directory.file(name))).load(), as: UTF8.self)
  }

  /// `clipkit` lies beside the tests' executable.
  package static let path: String = {
    var directory = CommandLine.arguments[0]
    #if os(Linux)
      if let own = realpath("/proc/self/exe", nil) {
        directory = String(cString: own)
        free(own)
      }
    #endif
    while let slash = directory.lastIndex(of: "/") {
      directory = String(directory[..<slash])
      if access("\(directory)/clipkit", X_OK) == 0, !isDirectory("\(directory)/clipkit") {
        return "\(directory)/clipkit"
      }
    }
    return "clipkit"
  }()
}
