import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Log text must never land in a file that got a standard stream's number.
@Test(arguments: ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
func closedStreamsChangeNoOutput(_ closing: String) throws {
  let place = try Workplace()
  #expect(try place.run("convert", "tiny.safetensors", "expected.pt").exitCode == 0)
  let run = try place.run("convert", "tiny.safetensors", "out.pt", script: "exec \"$@\" \(closing)")
  #expect(run.exitCode == 0)
  #expect(try place.bytes("out.pt") == place.bytes("expected.pt"))
  #expect(try place.run("inspect", "tiny.safetensors", script: "exec \"$@\" \(closing)").exitCode == 0)
  #expect(try place.run("inspect", "missing", script: "exec \"$@\" \(closing)").exitCode == 66)
}

/// A model of many tensors: more text than a pipe holds.
private func writeManyTensors(_ place: Workplace) throws {
  let entries = (0..<5000).map {
    #""transformer.resblocks.\#($0).weight":{"dtype":"U8","shape":[1],"data_offsets":[\#($0),\#($0 + 1)]}"#
  }
  try place.write(
    safetensors("{\(entries.joined(separator: ","))}", data: [UInt8](repeating: 0, count: 5000)),
    to: "many.safetensors")
}

@Test(arguments: [["inspect", "--tensors"], ["inspect", "--tensors", "--json"], ["hash"], ["hash", "--json"]])
func aReaderThatHasGoneIsNoError(_ verb: [String]) throws {
  let place = try Workplace()
  try writeManyTensors(place)
  let script = "{ \"$@\"; echo \"code $?\" >&2; } | head -n 1"
  let run = try place.start(verb + ["many.safetensors"], script: script).wait()
  #expect(run.stdout.split(separator: "\n").count == 1)
  #expect(run.stderr == "code 0\n")
}

/// The verdict is in the exit code, whoever reads the list of differences.
@Test(arguments: [
  ["diff", "many.safetensors", "other.safetensors"], ["hash", "--check", "manifest", "many.safetensors"],
])
func aReaderThatHasGoneChangesNoVerdict(_ verb: [String]) throws {
  let place = try Workplace()
  try writeManyTensors(place)
  var other = try place.bytes("many.safetensors")
  for index in other.count - 5000..<other.count { other[index] = 1 }
  try place.write(other, to: "other.safetensors")
  #expect(try place.run("hash", "other.safetensors", script: "exec \"$@\" >manifest").exitCode == 0)
  for json in [[], ["--json"]] {
    let script = "{ \"$@\"; echo \"code $?\" >&2; } | head -n 1"
    let run = try place.start(verb + json, script: script).wait()
    #expect(run.stdout.split(separator: "\n").count == 1)
    #expect(run.stderr == "code 1\n")
  }
}

#if os(Linux)
  @Test(arguments: [["inspect", "tiny.safetensors"], ["hash", "tiny.safetensors", "--json"], ["--help"]])
  func aFullStdoutExitsWith74(_ arguments: [String]) throws {
    let place = try Workplace()
    let run = try place.start(arguments, script: "exec \"$@\" >/dev/full").wait()
    #expect(run.exitCode == 74)
    #expect(run.stderr == "error: cannot write to stdout: No space left on device\n")
  }
#endif

@Test(arguments: [
  "unset TERM HOME TMPDIR", "export TERM=dumb", "export NO_COLOR=1", "export COLUMNS=1", "export COLUMNS=999999999999",
  "export COLUMNS=x",
  "export LANG=tr_TR.UTF-8 LC_ALL=tr_TR.UTF-8", "export LC_ALL=C", "export TZ=Asia/Kathmandu",
])
func theEnvironmentChangesNoText(_ setup: String) throws {
  let place = try Workplace()
  for arguments in [
    ["inspect", "tiny.safetensors", "--statistics"], ["inspect", "missing"], ["hash", "--json", "."],
  ] {
    let expected = try place.start(arguments).wait()
    let run = try place.start(arguments, script: "\(setup); exec \"$@\"").wait()
    #expect(run.stdout == expected.stdout && run.stderr == expected.stderr && run.exitCode == expected.exitCode)
  }
  let help = try place.run("convert", "--help", script: "\(setup); exec \"$@\"")
  #expect(help.exitCode == 0 && help.stdout.contains("--shard-size"))
}

#if os(Linux)
  /// A terminal of which only what was written to it can be read.
  private final class PseudoTerminal {
    let path: String
    private let descriptor: Int32

    init() throws {
      descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
      var unlocked: Int32 = 0
      var number: Int32 = 0
      let (unlock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)  // TIOCSPTLCK, TIOCGPTN
      guard ioctl(descriptor, unlock, &unlocked) == 0, ioctl(descriptor, getNumber, &number) == 0 else {
        throw FileError(.io, "no pseudo-terminal")
      }
      path = "/dev/pts/\(number)"
    }

    deinit { close(descriptor) }

    /// What has been written; the writer has ended.
    func text() -> String {
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
      var result: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 4096)
      while case let count = read(descriptor, &buffer, buffer.count), count > 0 { result += buffer[..<count] }
      return String(decoding: result, as: UTF8.self)
    }
  }

  @Test(arguments: [
    ("export TERM=xterm; unset NO_COLOR", true), ("export TERM=xterm NO_COLOR=1", false),
    ("export TERM=dumb; unset NO_COLOR", false), ("unset TERM NO_COLOR", false),
  ])
  func onlyAColourTerminalGetsColour(_ setup: String, isColoured: Bool) throws {
    let place = try Workplace()
    let terminal = try PseudoTerminal()
    let script = "\(setup); exec \"$@\" 2>'\(terminal.path)'"
    #expect(try place.run("convert", "tiny.safetensors", "out.pt", script: script).exitCode == 0)
    let warning = isColoured ? "\u{1B}[33mwarning:\u{1B}[0m " : "warning: "
    #expect(
      terminal.text() == "\(warning)not a CLIP that clipkit knows: tensors are copied under their own names\r\n")
  }

  /// Stopped for longer than runs take that show no bar.
  @Test(arguments: [false, true])
  func aLongRunShowsAndRemovesItsBar(_ isQuiet: Bool) throws {
    let place = try Workplace()
    try writeLarge(place.file("large"), megabytes: 64)
    let terminal = try PseudoTerminal()
    let script = "export TERM=xterm NO_COLOR=1; exec \"$@\" 2>'\(terminal.path)'"
    let arguments = ["convert", "large", "out.safetensors"] + (isQuiet ? ["-q"] : [])
    let running = try place.start(arguments, script: script)
    #expect(running.waitUntilOpen("large"))
    kill(running.process, SIGSTOP)
    usleep(600_000)
    kill(running.process, SIGCONT)
    #expect(try running.wait().exitCode == 0)
    let lines = terminal.text().split(separator: "\r\u{1B}[K", omittingEmptySubsequences: false)
    if isQuiet {
      #expect(lines == [""])
    } else {
      #expect(lines.count >= 3)
      #expect(lines[1].hasPrefix("[") && lines[1].contains("] converting ") && lines[1].hasSuffix(" s left"))
      #expect(lines.last?.hasPrefix("warning: ") == true)
    }
  }
#endif
