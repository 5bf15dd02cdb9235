import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Test func aMissingInputExitsWith66() throws {
  let place = try Workplace()
  symlink("loop", place.file("loop"))
  symlink("nothing", place.file("dangling"))
  let reasons = [
    ("missing", "No such file or directory"), ("dangling", "No such file or directory"),
    ("tiny.safetensors/x", "Not a directory"), ("loop", "Too many levels of symbolic links"),
    (String(repeating: "n", count: 256), "File name too long"), ("", "No such file or directory"),
  ]
  for (name, reason) in reasons {
    let shown = name.isEmpty ? "''" : name
    for verb in [["inspect"], ["hash"], ["diff", "tiny.safetensors"]] {
      expectRefusal(try place.start(verb + [name]).wait(), 66, "\(shown): cannot open: \(reason)")
    }
    expectRefusal(try place.run("convert", name, "out.pt"), 66, "\(shown): cannot open: \(reason)")
  }
  #expect(try place.entries() == ["dangling", "loop", "tiny.safetensors"])
}

@Test func whatIsNoRegularFileIsNoInput() throws {
  let place = try Workplace()
  mkfifo(place.file("fifo"), 0o644)
  for name in ["fifo", "/dev/zero", "/dev/null"] {
    expectRefusal(try place.run("inspect", name), 66, "\(name): not a regular file")
  }
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: place.file("socket").utf8) }
  #if canImport(Glibc)
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
  #else
    let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
  #endif
  defer { close(descriptor) }
  let bound = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
  #expect(bound == 0)
  #expect(try place.run("inspect", "socket").exitCode == 66)
}

@Test func namesArePrintedEscaped() throws {
  let place = try Workplace()
  expectRefusal(
    try place.run("inspect", "a\u{1B}[31m\n\r\u{202E}"), 66,
    "a\\u{1b}[31m\\u{a}\\u{d}\\u{202e}: cannot open: No such file or directory")
  try place.write(tinySafetensors, to: "line\nbreak.pt")
  let run = try place.run("inspect", "line\nbreak.pt")
  #expect(run.stdout.hasPrefix("line\\u{a}break.pt: safetensors, 152 B\nnot a CLIP"))
}

@Test func aLinkToAModelIsFollowed() throws {
  let place = try Workplace()
  symlink("tiny.safetensors", place.file("link"))
  #expect(try place.run("diff", "link", "tiny.safetensors").exitCode == 0)
}

/// As another user where the tests run as root, who may read everything.
@Test func deniedAccessExitsWith77() throws {
  let place = try Workplace()
  try place.write(tinySafetensors, to: "secret")
  chmod(place.file("secret"), 0)
  mkdir(place.file("closed"), 0o555)
  mkdir(place.file("open"), 0o755)
  chmod(place.file("open"), 0o777)
  chmod(place.path, 0o755)
  let script = geteuid() == 0 ? "exec chroot --userspec=65534:65534 --skip-chdir / \"$@\"" : "exec \"$@\""
  expectRefusal(
    try place.run("inspect", "secret", script: script), 77, "secret: cannot open: Permission denied")
  for output in ["closed/out.pt", "closed/out"] {
    let options = output.hasSuffix("pt") ? [] : ["--shard-size", "1MB"]
    let run = try place.start(["convert", "tiny.safetensors", output, "-q"] + options, script: script).wait()
    expectRefusal(run, 77, "\(output): cannot create: Permission denied")
  }
  #expect(try place.run("convert", "tiny.safetensors", "open/out.pt", script: script).exitCode == 0)
}
