/// A tensor name with places for numbers: `visual.transformer.resblocks.{}.ln_1.weight`.
package struct NameTemplate: Sendable {
  package let text: String
  private let pieces: [[UInt8]]

  package init(_ text: String) {
    self.text = text
    var pieces: [[UInt8]] = [[]]
    var bytes = Array(text.utf8)[...]
    while let byte = bytes.popFirst() {
      if byte == UInt8(ascii: "{"), bytes.first == UInt8(ascii: "}") {
        bytes.removeFirst()
        pieces.append([])
      } else {
        pieces[pieces.count - 1].append(byte)
      }
    }
    self.pieces = pieces
  }

  /// The numbers at the places, or nil when `name` is not of this form. Leading zeros are not a number's own form, so
  /// that names and numbers correspond one to one.
  package func match(_ name: String) -> [Int]? {
    var rest = Array(name.utf8)[...]
    var numbers: [Int] = []
    for (position, piece) in pieces.enumerated() {
      if position > 0 {
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        // Five digits are more blocks than any model has, and keep sums of them far from overflow.
        guard digits.count <= 5, let number = Int(String(decoding: digits, as: UTF8.self)),
          digits.count == 1 || digits.first != 0x30
        else { return nil }
        numbers.append(number)
        rest = rest.dropFirst(digits.count)
      }
      guard rest.starts(with: piece) else { return nil }
      rest = rest.dropFirst(piece.count)
    }
    return rest.isEmpty ? numbers : nil
  }

  /// The name with these numbers.
  package func name(_ numbers: [Int]) -> String {
    var result: [UInt8] = pieces[0]
    for (number, piece) in zip(numbers, pieces.dropFirst()) { result += Array(String(number).utf8) + piece }
    return String(decoding: result, as: UTF8.self)
  }

  /// The text with every run of digits and every place replaced by `#`: names and the templates that may match them
  /// have the same shape.
  var shape: String { Self.shape(of: text) }

  static func shape(of name: String) -> String {
    var result: [UInt8] = []
    for byte in name.utf8 where byte != UInt8(ascii: "}") {
      if byte == UInt8(ascii: "{") || (0x30...0x39).contains(byte) {
        if result.last != UInt8(ascii: "#") { result.append(UInt8(ascii: "#")) }
      } else {
        result.append(byte)
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}

/// One line of a dialect's table: a canonical name, the file's name for it or for a part of it, and the form.
package struct NameRule: Sendable {
  package let canonical: NameTemplate
  package let file: NameTemplate
  package let form: TensorForm

  init(_ canonical: String, _ file: String, _ form: TensorForm = .same) {
    self.canonical = NameTemplate(canonical)
    self.file = NameTemplate(file)
    self.form = form
  }
}

extension [NameRule] {
  /// The parts of a table, one after the other.
  static func table(_ parts: [NameRule]...) -> [NameRule] { Array(parts.joined()) }

  /// Rules for `.weight` and `.bias` of one module.
  static func module(_ canonical: String, _ file: String) -> [NameRule] {
    [NameRule("\(canonical).weight", "\(file).weight"), NameRule("\(canonical).bias", "\(file).bias")]
  }

  /// Rules for weight and bias of projections that the file keeps apart and the canonical form fuses; `fused` is the
  /// canonical name up to `weight` or `bias`.
  static func fused(_ fused: String, _ parts: [String], sizes: [Int]) -> [NameRule] {
    ["weight", "bias"].flatMap { kind in
      parts.enumerated().map { index, part in
        NameRule("\(fused)\(kind)", "\(part).\(kind)", .rows(part: index, of: sizes))
      }
    }
  }
}
