import Checkpoints
import TestSupport
import Testing

/// `tiny.safetensors` with the f32 6 turned into 6.5.
private let changed = Array(tinySafetensors.dropLast(4)) + [0xD0, 0x40, 7, 8]

@Test func equalModelsExitWithZero() throws {
  let run = try Workplace().run("diff", "tiny.safetensors", "tiny.safetensors")
  #expect(run.exitCode == 0)
  #expect(run.stdout == "2 tensors in both, 2 equal: the models are equal\n")
  #expect(run.stderr.isEmpty)
}

@Test func differentModelsExitWithOne() throws {
  let place = try Workplace()
  try place.write(changed, to: "changed.safetensors")
  let run = try place.run("diff", "tiny.safetensors", "changed.safetensors")
  #expect(run.exitCode == 1)
  // |a - b| = 0.5, |b| is at most 6.5; cosine (91 + 3) / √(91 · 97.25).
  #expect(run.stdout.hasPrefix("a.weight  f32  max-abs 5.00e-01  relative "))
  #expect(run.stdout.contains("  cosine 0.99922"))
  #expect(
    run.stdout.hasSuffix(
      "\n2 tensors in both, 1 equal, largest difference 5.00e-01 in a.weight: the models differ\n"))
}

@Test(arguments: [(0.49, 1), (0.5, 0), (1.0, 0)])
func toleranceDecidesTheExitCode(_ tolerance: Double, exitCode: Int32) throws {
  let place = try Workplace()
  try place.write(changed, to: "changed.safetensors")
  let run = try place.run("diff", "tiny.safetensors", "changed.safetensors", "--tolerance", "\(tolerance)", "--json")
  #expect(run.exitCode == exitCode)
  let json = try JSONValue(parsing: Array(run.stdout.utf8))
  #expect(json["within_tolerance"]?.bool == (exitCode == 0))
  #expect(json["tensors"]?.array?.first?["max_absolute"]?.number == 0.5)
}

@Test func missingAndReshapedTensorsDiffer() throws {
  let place = try Workplace()
  let other = safetensors(
    #"{"a.weight":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"#
      + #""c":{"dtype":"U8","shape":[2],"data_offsets":[24,26]}}"#, data: Array(tinySafetensors.suffix(26)))
  try place.write(other, to: "other")
  let run = try place.run("diff", "tiny.safetensors", "other", "--tolerance", "9")
  #expect(run.exitCode == 1)
  #expect(
    run.stdout == """
      a.weight  f32  shape [2, 3] | [6]
      b  only in tiny.safetensors
      c  only in other
      1 tensor in both, 0 equal: the models differ

      """)
}
