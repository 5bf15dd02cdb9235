/// A drawing for a page, as text; sizes are in pixels of its own width.
struct SVG {
  private let width: Double
  private let height: Double
  private let title: String
  private var parts = ""

  init(width: Double, height: Double, title: String) {
    (self.width, self.height, self.title) = (width, height, title)
  }

  /// The element; as wide as the page allows, and never so narrow that its words cannot be read.
  var element: String {
    """
    <div class="scroll"><svg viewBox="0 0 \(Self.text(width)) \(Self.text(height))" \
    style="min-width:\(Self.text(width * 0.8))px;max-width:\(Self.text(width * 1.25))px" role="img" \
    aria-label="\(htmlText(title))">\(parts)</svg></div>
    """
  }

  static func text(_ number: Double) -> String { decimal(number, 1) }

  mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String) {
    parts += "<line x1=\"\(Self.text(x1))\" y1=\"\(Self.text(y1))\" x2=\"\(Self.text(x2))\" y2=\"\(Self.text(y2))\" "
    parts += "class=\"\(style)\"/>"
  }

  mutating func rectangle(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ style: String, tip: String = ""
  ) {
    parts += "<rect x=\"\(Self.text(x))\" y=\"\(Self.text(y))\" width=\"\(Self.text(width))\" "
    parts += "height=\"\(Self.text(height))\" class=\"\(style)\">\(Self.tip(tip))</rect>"
  }

  mutating func dot(_ x: Double, _ y: Double, _ style: String, tip: String) {
    parts +=
      "<circle cx=\"\(Self.text(x))\" cy=\"\(Self.text(y))\" r=\"4\" class=\"\(style)\">\(Self.tip(tip))</circle>"
  }

  /// `anchor`: start, middle or end. A label that is turned leads up to its place from the left below.
  mutating func label(_ x: Double, _ y: Double, _ words: String, anchor: String = "middle", isTurned: Bool = false) {
    let turn = isTurned ? " transform=\"rotate(-55 \(Self.text(x)) \(Self.text(y)))\"" : ""
    parts +=
      "<text x=\"\(Self.text(x))\" y=\"\(Self.text(y))\" text-anchor=\"\(anchor)\"\(turn)>\(htmlText(words))</text>"
  }

  private static func tip(_ words: String) -> String { words.isEmpty ? "" : "<title>\(htmlText(words))</title>" }
}

/// Text from anywhere as text of a page: markup is taken off its meaning, control characters are shown, and what is
/// longer than `limit` characters is cut.
func htmlText(_ text: String, limit: Int = 500) -> String {
  var result = ""
  for (index, scalar) in text.unicodeScalars.enumerated() {
    if index == limit { return result + "…" }
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    default:
      switch scalar.properties.generalCategory {
      case .control, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
        result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
  }
  return result
}
