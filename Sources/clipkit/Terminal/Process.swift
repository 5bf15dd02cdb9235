import Checkpoints
import Dispatch

#if canImport(Glibc)
  @preconcurrency import Glibc
#else
  import Darwin
#endif

/// What the program does as a process: streams, signals and exit codes.
enum Process {
  /// Makes the standard streams safe and catches interruption. Call it first.
  static func prepare() {
    // A closed standard stream would give its number to the next file opened, and log text would land in it.
    for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) < 0 {
      _ = open("/dev/null", descriptor == 0 ? O_RDONLY : O_WRONLY)
    }
    // A limit on file size shall give an error to report, not a signal.
    signal(SIGXFSZ, SIG_IGN)
    // A reader that has gone is seen when writing.
    signal(SIGPIPE, SIG_IGN)
    for number in [SIGINT, SIGTERM, SIGHUP] { catchInterruption(number) }
  }

  private static func catchInterruption(_ number: Int32) {
    // A shell starts background commands, and nohup its command, with signals ignored that shall stay ignored.
    let before: sighandler_t? = signal(number, SIG_IGN)
    guard unsafeBitCast(before, to: Int.self) != unsafeBitCast(SIG_IGN, to: Int.self) else { return }
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global(qos: .userInteractive))
    source.setEventHandler {
      // A second signal ends the process at once, should removing take long.
      signal(number, SIG_DFL)
      InterruptCleanup.exit(128 + number)
    }
    source.activate()
    sources.append(source)
  }

  nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []

  /// Prints help, or what is wrong with the arguments, and ends the process.
  static func end(with text: String, code: Int32) -> Never {
    if !text.isEmpty { code == 0 ? Output.write(text + "\n") : Output.writeError(text + "\n") }
    exit(code)
  }

  /// Prints an error in one line, and as JSON where that was asked for, and ends the process.
  static func fail(_ error: FileError, asJSON: Bool) -> Never {
    InterruptCleanup.waitIfInterrupted()
    Output.writeError("error: \(error)\n")
    if asJSON {
      let json = JSONValue.object(["schema": 1, "error": error.json]).text(pretty: true)
      Output.write(json, exitCode: exitCode(error.kind))
    }
    exit(exitCode(error.kind))
  }

  private static func exitCode(_ kind: FileError.Kind) -> Int32 {
    switch kind {
    case .usage: 64
    case .truncated, .malformed, .unsupported, .mismatch: 65
    case .missing: 66
    case .cannotCreate: 73
    case .io: 74
    case .permission: 77
    }
  }
}
