/// A place in the pipeline where what two models make of the same input is compared.
///
/// The order of stages is that of the computation: tokens, pixels, the image encoder, the text encoder, logits.
public struct Stage: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Stages that are compared in one way, and share a tolerance.
  public enum Group: String, Sendable, CaseIterable {
    /// Token ids.
    case tokens
    /// 8-bit pixels after resize and crop.
    case pixels
    /// Pixels after normalisation.
    case pixelValues = "pixel_values"
    /// Outputs inside an encoder: stem, blocks, pooled.
    case hidden
    /// Rows of length 1.
    case embeddings
    /// Scaled cosines of images and texts.
    case logits
  }

  /// The name in reports: `tokens`, `image.blocks.3`, `text_embeds`.
  public let name: String
  /// How it is compared.
  public let group: Group
  private let order: Int

  private static let named: [(name: String, group: Group, order: Int)] = [
    ("tokens", .tokens, 0), ("pixels", .pixels, 1), ("pixel_values", .pixelValues, 2),
    ("image.stem", .hidden, 1 << 40), ("image.pooled", .hidden, 2 << 40), ("image_embeds", .embeddings, 3 << 40),
    ("text.stem", .hidden, 4 << 40), ("text.pooled", .hidden, 5 << 40), ("text_embeds", .embeddings, 6 << 40),
    ("logits", .logits, 7 << 40),
  ]

  /// The stage of that name; nil when there is none.
  public init?(_ name: String) {
    if let known = Self.named.first(where: { $0.name == name }) {
      self.init(name: name, group: known.group, order: known.order)
      return
    }
    for (prefix, base) in [("image.blocks.", 1 << 40), ("text.blocks.", 4 << 40)] where name.hasPrefix(prefix) {
      guard let number = Int(name.dropFirst(prefix.count)), (0...Self.largestBlock).contains(number),
        name == "\(prefix)\(number)"
      else { return nil }
      self.init(name: name, group: .hidden, order: base + 1 + number)
      return
    }
    return nil
  }

  private init(name: String, group: Group, order: Int) { (self.name, self.group, self.order) = (name, group, order) }

  /// More blocks than any model has.
  private static let largestBlock = 1 << 20

  /// Whether it belongs to the image encoder or what comes before it.
  public var isAboutImages: Bool { order > 0 && order < 4 << 40 }
  /// Whether it belongs to the text encoder or what comes before it.
  public var isAboutText: Bool { order == 0 || (4 << 40..<7 << 40).contains(order) }

  /// The tensor of a golden file that holds it.
  var tensorName: String {
    switch group {
    case .tokens: "input_ids"
    case .logits: "logits_per_image"
    default: name
    }
  }

  /// The stage that a tensor of a golden file holds.
  init?(tensor: String) {
    guard tensor != "tokens", tensor != "logits" else { return nil }
    self.init(tensor == "input_ids" ? "tokens" : tensor == "logits_per_image" ? "logits" : tensor)
  }

  /// The order of the computation.
  public static func < (first: Stage, second: Stage) -> Bool { first.order < second.order }
  /// The name.
  public var description: String { name }
}
