import Checkpoints
import TestSupport
import Testing

/// Nothing but the source and the options decides the bytes.
@Test(arguments: allFormats.map { $0.name })
func theSameCommandGivesTheSameBytes(_ format: String) throws {
  let place = try Workplace()
  let source = fixture("checkpoints/hf-clip")
  let setups = [
    "", "cd /", "export LANG=tr_TR.UTF-8 LC_ALL=tr_TR.UTF-8", "export SOURCE_DATE_EPOCH=1 TZ=Asia/Kathmandu",
    "unset HOME TMPDIR PATH", "umask 077",
  ]
  for (index, setup) in setups.enumerated() {
    let arguments = ["convert", source, place.file("out-\(index)"), "--format", format, "--provenance", "-q"]
    let script = setup.isEmpty ? "exec \"$@\"" : "\(setup); exec \"$@\""
    #expect(try place.start(arguments, script: script).wait().exitCode == 0)
    #expect(try place.bytes("out-\(index)") == place.bytes("out-0"), "\(setup)")
  }
}

@Test func threadsChangeNothing() throws {
  let place = try Workplace()
  let source = fixture("checkpoints/openclip-rn.pt")
  for verb in [["hash", source], ["diff", source, fixture("checkpoints/openclip-vit.pt"), "--all"]] {
    let runs = try ["1", "2", "8"].map { try place.start(verb + ["--threads", $0, "--json"]).wait() }
    #expect(runs[0].stdout.count > 1000)
    for run in runs { #expect(run.stdout == runs[0].stdout && run.exitCode == runs[0].exitCode) }
  }
}
