import Checkpoints
import Synchronization

#if canImport(Glibc)
  @preconcurrency import Glibc
#else
  import Darwin
#endif

/// Text to the standard streams: data to stdout, everything else to stderr.
enum Output {
  private static let pendingExitCode = Atomic<Int32>(0)

  /// The code that the process will end with, when nothing more goes wrong.
  static func expectExitCode(_ code: Int32) { pendingExitCode.store(code, ordering: .relaxed) }

  /// Writes to stdout. A reader that has gone (`| head -1`) ends the process without a word, and with the code that it
  /// would have had otherwise.
  static func write(_ text: String, exitCode: Int32? = nil) {
    guard put(text, to: 1) else {
      if errno == EPIPE { exit(exitCode ?? pendingExitCode.load(ordering: .relaxed)) }
      writeError("error: cannot write to stdout: \(String(cString: strerror(errno)))\n")
      exit(74)
    }
  }

  /// Writes to stderr; nobody can be told when that fails.
  static func writeError(_ text: String) { _ = put(text, to: 2) }

  /// Whether a stream is a terminal that understands cursor movement.
  static func isTerminal(_ descriptor: Int32) -> Bool {
    guard isatty(descriptor) == 1, let term = getenv("TERM") else { return false }
    return String(cString: term) != "dumb"
  }

  /// States a width that help can be laid out in: ArgumentParser traps in fewer than 27 columns.
  static func makeRoomForHelp() {
    var size = winsize()
    let stated = getenv("COLUMNS").flatMap { Int(String(cString: $0)) } ?? 0
    let width = stated <= 0 && ioctl(1, UInt(TIOCGWINSZ), &size) == 0 ? Int(size.ws_col) : stated
    if width > 0 { setenv("COLUMNS", "\(min(max(40, width), 1000))", 1) }
  }

  /// Whether stderr may be coloured.
  static var colorsErrors: Bool { isTerminal(2) && getenv("NO_COLOR") == nil }

  /// A warning in one line on stderr.
  static func warn(_ text: String) {
    writeError((colorsErrors ? "\u{1B}[33mwarning:\u{1B}[0m " : "warning: ") + escaped(text, limit: 2000) + "\n")
  }

  private static func put(_ text: String, to descriptor: Int32) -> Bool {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 {
        if errno == EINTR { continue }
        return false
      }
      rest = rest.dropFirst(written)
    }
    return true
  }
}
