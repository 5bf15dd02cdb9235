import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// PyTorch's count (`torch.utils.flop_counter`) of the same encoders, in make_fixtures_encoders.py.
@Test(arguments: ExpectedEncoding.names)
func costIsWhatPyTorchCounts(name: String) throws {
  let example = try ExpectedEncoding(name)
  let flops = try ExpectedEncoding.numbers(example.expected["flops"])
  var image = try #require(try EncodingCost.image(example.model, pooledOnly: false))
  if example.model.config.isResNet {
    // open_clip's attention pooling computes all 5 queries, 64 wide, and projects them to 24, to read the first.
    image += 4 * (2 * 64 * 64 + 2 * 2 * 5 * 64 + 2 * 64 * 24)
  }
  #expect(Double(image) == flops[0])
  #expect(try EncodingCost.text(example.model, pooledOnly: false).map(Double.init) == flops[1])
}

@Test func costOfPooledTokenIsLess() throws {
  let example = try ExpectedEncoding("openclip-vit")
  let all = try #require(try EncodingCost.image(example.model, pooledOnly: false))
  let pooled = try #require(try EncodingCost.image(example.model))
  // Of the last of two blocks, 16 of 17 tokens need no query, no output and no hidden layer.
  #expect(pooled < all * 3 / 4 && pooled > all / 2)
  #expect(try Inspection(example.model.checkpoint).cost?.image == pooled)
}
