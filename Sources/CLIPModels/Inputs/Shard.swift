/// One of several consecutive parts of a list, whose sizes differ by one at most.
public struct Shard: Sendable, Equatable, LosslessStringConvertible {
  /// Which part, from 1 on.
  public let index: Int
  /// How many parts there are.
  public let count: Int

  /// The whole list.
  public static let whole = Shard(index: 1, count: 1)

  private init(index: Int, count: Int) {
    self.index = index
    self.count = count
  }

  /// `2/4`; nil for what is not 1/1 … N/N with N at most a million.
  public init?(_ description: String) {
    let parts = description.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      let index = Int(parts[0]), let count = Int(parts[1]), (1...1_000_000).contains(count), (1...count).contains(index)
    else { return nil }
    self.init(index: index, count: count)
  }

  /// `2/4`.
  public var description: String { "\(index)/\(count)" }

  /// The part's indices in a list of that many entries.
  public func range(of entries: Int) -> Range<Int> {
    // A list that is in memory has far fewer than 2⁴³ entries.
    (index - 1) * entries / count..<index * entries / count
  }
}
