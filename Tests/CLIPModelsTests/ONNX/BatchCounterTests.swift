import Checkpoints
import TestSupport
import Testing

@testable import CLIPModels

/// What a file's metadata says that training counted: nothing of it is taken on trust.
@Suite struct BatchCounterTests {
  private func norm() throws -> Checkpoint {
    var checkpoint = Checkpoint()
    try checkpoint.add(Tensor([1], shape: [1]), named: "bn1.running_var")
    return checkpoint
  }

  @Test func countsOfNormsComeBack() throws {
    var checkpoint = try norm()
    try BatchCounters.restore(#"{"bn1.num_batches_tracked":9223372036854775807}"#, to: &checkpoint)
    let bytes = try checkpoint["bn1.num_batches_tracked"]?.bytes.load()
    #expect(bytes == [UInt8](repeating: 0xFF, count: 7) + [0x7F])
  }

  /// More names than a checkpoint may have tensors.
  @Test func countsOfNoNormsAreNoTensors() throws {
    var checkpoint = try norm()
    let counts = (0...Limits.tensors).map { #""\#($0).num_batches_tracked":\#($0)"# }
    let names = #""weight":1,".num_batches_tracked":2,"bn1.running_mean":3,"../bn1.num_batches_tracked":4"#
    try BatchCounters.restore("{\((counts + [names]).joined(separator: ","))}", to: &checkpoint)
    #expect(checkpoint.names == ["bn1.running_var"])
  }

  @Test(arguments: ["1.5", "1180591620717411303424", "null", #""7""#])
  func countsThatAreNoneAreRefused(_ value: String) throws {
    var checkpoint = try norm()
    let error = #expect(throws: FileError.self) {
      try BatchCounters.restore("{\"bn1.num_batches_tracked\":\(value)}", to: &checkpoint)
    }
    #expect(error?.kind == .malformed)
    #expect(
      error?.message
        == "metadata_props 'clipkit.onnx.batch_counters': 'bn1.num_batches_tracked' is no whole number of 64 bits")
  }

  @Test func onlyNumbersWithoutDimensionsAreCounters() throws {
    for shape in [[], [1]] {
      let tensor = try Tensor(dtype: .i64, shape: shape, bytes: Bytes([UInt8](repeating: 0, count: 8)))
      #expect(BatchCounters.isCounter("bn1.num_batches_tracked", tensor) == shape.isEmpty)
    }
  }
}
