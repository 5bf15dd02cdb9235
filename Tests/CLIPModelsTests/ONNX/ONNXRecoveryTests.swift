import Checkpoints
import TestSupport
import Testing

@testable import CLIPModels

/// Exports of `Fixtures/onnx`, each of the model that its name begins with (tools/make_fixtures_onnx.py).
private let exact = [
  "openclip-vit.torchscript", "openclip-vit.dynamo", "openclip-vit.visual.torchscript", "openclip-vit.visual.dynamo",
  "openclip-siglip.torchscript", "openclip-siglip.dynamo", "hf-clip.torchscript", "hf-clip.dynamo",
  "hf-clip.text.torchscript", "hf-clip.text.dynamo", "hf-clip.vision.torchscript", "hf-clip.vision.dynamo",
  "hf-siglip.torchscript", "hf-siglip.dynamo", "openclip-equal.visual.torchscript", "openclip-equal.visual.dynamo",
]
private let quantized = [
  "openclip-vit.int8-channels", "hf-clip.text.int8", "hf-clip.text.int8-channels", "hf-clip.vision.int8",
  "hf-clip.vision.qdq",
]
private let resNets = ["openclip-rn.visual.torchscript", "openclip-rn.visual.dynamo"]

/// An export's tensors, and those that it was made of.
private struct Pair {
  let name: String
  let recovered: Checkpoint
  let original: Checkpoint
  /// The names of the original that the export holds.
  let expected: [String]

  init(_ name: String) throws {
    self.name = name
    recovered = try #require(try CLIPModel.open(fixture("onnx/\(name).onnx"))).checkpoint
    let parts = name.split(separator: ".")
    original = try Checkpoint.open(fixture("onnx/\(parts[0]).safetensors"))
    expected = original.names.filter { tensor in
      let isVision = tensor.hasPrefix("visual") || tensor.hasPrefix("vision")
      switch parts[1] {
      case "visual", "vision": return isVision
      case "text": return !isVision && !tensor.hasPrefix("logit")
      // open_clip's wrapper does not add it.
      default: return name.hasPrefix("hf") || tensor != "logit_bias"
      }
    }
  }

  func tensors(_ tensor: String) throws -> (recovered: Tensor, original: Tensor) {
    (
      try #require(recovered[tensor], "\(name): \(tensor) is not recovered"),
      try #require(original[tensor])
    )
  }
}

private func numbers(_ tensor: Tensor) throws -> [Double] {
  try tensor.cast(to: .f64).bytes.load().withUnsafeBytes { bytes in
    (0..<tensor.count).map { Double(bitPattern: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
  }
}

@Suite struct ONNXRecoveryTests {
  @Test(arguments: exact) func everyTensorIsRecovered(_ name: String) throws {
    let pair = try Pair(name)
    for tensor in pair.expected {
      let (recovered, original) = try pair.tensors(tensor)
      #expect(recovered.dtype == original.dtype && recovered.count == original.count, "\(tensor)")
      #expect(try recovered.bytes.load() == original.bytes.load(), "\(tensor)")
    }
    #expect(Set(pair.recovered.names) == Set(pair.expected))
  }

  @Test func halfPrecisionIsRecovered() throws {
    let pair = try Pair("hf-clip.vision.f16")
    for tensor in pair.expected {
      let (recovered, original) = try pair.tensors(tensor)
      #expect(try recovered.bytes.load() == original.cast(to: .f16).bytes.load(), "\(tensor)")
    }
  }

  /// ONNX Runtime's quantizer takes steps of at most twice the largest number divided by 255.
  @Test(arguments: quantized) func quantizedTensorsAreWithinHalfAStep(_ name: String) throws {
    let pair = try Pair(name)
    for tensor in pair.expected {
      let (recovered, original) = try pair.tensors(tensor)
      let (found, wanted) = (try numbers(recovered), try numbers(original))
      let largest = wanted.reduce(0) { max($0, abs($1)) }
      #expect(found.count == wanted.count)
      for (a, b) in zip(found, wanted) where abs(a - b) > largest / 254 * 1.001 {
        Issue.record("\(name): \(tensor): \(a), original \(b)")
        break
      }
    }
    #expect(Set(pair.recovered.names) == Set(pair.expected))
  }

  /// Both exporters compute norms into the convolutions before them: what is recovered computes the same.
  @Test(arguments: resNets) func foldedNormsPassThrough(_ name: String) throws {
    let pair = try Pair(name)
    for tensor in pair.expected where !tensor.contains("bn") && !tensor.contains("downsample.1") {
      let (recovered, original) = try pair.tensors(tensor)
      var wanted = try numbers(original)
      var norm: String?
      if tensor.hasSuffix("downsample.0.weight") { norm = String(tensor.dropLast("0.weight".count)) + "1" }
      if let last = tensor.split(separator: ".").dropLast().last, last.hasPrefix("conv") {
        norm = tensor.dropLast("\(last).weight".count) + "bn" + last.dropFirst(4)
      }
      guard let norm else {
        #expect(try recovered.bytes.load() == original.bytes.load(), "\(tensor)")
        continue
      }
      let parts = try ["weight", "bias", "running_mean", "running_var"].map {
        try (numbers(pair.tensors("\(norm).\($0)").recovered), numbers(pair.tensors("\(norm).\($0)").original))
      }
      let scales = parts[0].1.indices.map { parts[0].1[$0] / (parts[3].1[$0] + 1e-5).squareRoot() }
      let size = wanted.count / scales.count
      for index in wanted.indices { wanted[index] *= scales[index / size] }
      for (a, b) in zip(try numbers(recovered), wanted) { #expect(abs(a - b) < 1e-6, "\(tensor)") }
      for channel in scales.indices {
        let bias = parts[1].1[channel] - parts[2].1[channel] * scales[channel]
        #expect(abs(parts[1].0[channel] - bias) < 1e-6, "\(norm)")
        #expect(parts[0].0[channel] == 1 && parts[2].0[channel] == 0)
        #expect(Float(parts[3].0[channel]) + Float(1e-5) == 1)
      }
    }
    #expect(pair.recovered.notes.contains { $0.hasPrefix("norms are as the graph computes them") })
  }

  /// Each rule says which tensors it named; a mask is none.
  @Test func saysByWhichRule() throws {
    let notes = try Pair("openclip-vit.torchscript").recovered.notes
    #expect(notes.contains { $0.hasSuffix("tensors are named by the initializer's name") })
    #expect(
      notes.contains {
        $0.contains("named by the bias that is added to the product: ") && $0.contains("mlp.c_fc.weight")
      })
    #expect(
      notes.contains {
        $0.contains("named by the place in the graph: ") && $0.contains("visual.class_embedding")
          && $0.contains("visual.positional_embedding")
      })
    #expect(notes.contains { $0.contains("constants of the graph are no tensor of a model: ") })
  }
}
