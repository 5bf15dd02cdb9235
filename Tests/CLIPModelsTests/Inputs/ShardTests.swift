import CLIPModels
import Testing

@Test func shardsAreConsecutiveAndWhole() throws {
  for count in [1, 2, 3, 7, 10, 1000] {
    let shards = try (1...count).map { try #require(Shard("\($0)/\(count)")) }
    for entries in [0, 1, 2, 5, 10, 999, 1_000_000] {
      let ranges = shards.map { $0.range(of: entries) }
      #expect(ranges.first?.lowerBound == 0 && ranges.last?.upperBound == entries)
      #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
      let sizes = ranges.map(\.count)
      #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
    }
  }
  #expect(try #require(Shard("2/3")).range(of: 10) == 3..<6)
}

@Test(arguments: [
  "", "1", "/", "1/", "/2", "0/2", "3/2", "-1/2", "1/0", "1/2/3", "1/1000001", "a/2", "1 /2", "+1/2", "١/٢",
  "99999999999999999999/99999999999999999999",
]) func whatIsNoShardIsRefused(_ text: String) { #expect(Shard(text) == nil) }

@Test func aShardIsWrittenAsItIsRead() { #expect(Shard("2/4")?.description == "2/4" && Shard("1/1") == .whole) }
