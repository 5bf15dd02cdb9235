/// Unicode's normalisation form C. The standard library has none that is public, and those of the libraries differ in
/// the marks that they know.
struct NormalizationFormC: Sendable {
  /// As Python's `unicodedata` has it.
  static let python = NormalizationFormC(isPython: true)
  /// As tokenizers has it.
  static let huggingFace = NormalizationFormC(isPython: false)

  private let isPython: Bool
  /// The one or two scalars that a scalar is made of; the second is 0 where there is one.
  private let parts: [UInt32: (UInt32, UInt32)]
  private let compositions: [UInt64: UInt32]

  private init(isPython: Bool) {
    self.isPython = isPython
    var parts: [UInt32: (UInt32, UInt32)] = [:]
    var compositions: [UInt64: UInt32] = [:]
    for (scalar, first, second, kind) in UnicodeTable.standard.decompositions where isPython || kind != 2 {
      parts[scalar] = (first, second)
      if kind != 0 { compositions[UInt64(first) << 32 | UInt64(second)] = scalar }
    }
    self.parts = parts
    self.compositions = compositions
  }

  /// The text in NFC.
  func normalize(_ text: [UInt32]) -> [UInt32] {
    guard mayChange(text) else { return text }
    var scalars: [UInt32] = []
    scalars.reserveCapacity(text.count)
    for scalar in text { decompose(scalar, into: &scalars) }
    reorder(&scalars)
    return compose(scalars)
  }

  private func combiningClass(_ scalar: UInt32) -> UInt8 {
    let properties = UnicodeTable.standard[scalar]
    return isPython ? properties.combiningClass : properties.huggingFaceCombiningClass
  }

  private func mayChange(_ text: [UInt32]) -> Bool {
    var last: UInt8 = 0
    for scalar in text where scalar >= 0x300 || last != 0 {
      if UnicodeTable.standard[scalar].mayChangeInNFC { return true }
      let current = combiningClass(scalar)
      if current != 0, current < last { return true }
      last = current
    }
    return false
  }

  /// The canonical parts of a scalar, and theirs.
  private func decompose(_ scalar: UInt32, into result: inout [UInt32]) {
    if let index = hangulIndex(scalar) {
      result += [0x1100 + index / 588, 0x1161 + index % 588 / 28]
      if index % 28 != 0 { result.append(0x11A7 + index % 28) }
    } else if scalar >= 0xC0, let (first, second) = parts[scalar] {
      decompose(first, into: &result)
      if second != 0 { decompose(second, into: &result) }
    } else {
      result.append(scalar)
    }
  }

  private func hangulIndex(_ scalar: UInt32) -> UInt32? {
    0xAC00...0xD7A3 ~= scalar ? scalar - 0xAC00 : nil
  }

  /// Sorts each run of marks by class, and leaves those of one class in their order.
  private func reorder(_ scalars: inout [UInt32]) {
    var start = 0
    while start < scalars.count {
      guard combiningClass(scalars[start]) != 0 else {
        start += 1
        continue
      }
      let end = scalars[start...].firstIndex { combiningClass($0) == 0 } ?? scalars.count
      if end - start > 1 {
        let keys = (start..<end).map { UInt64(combiningClass(scalars[$0])) << 32 | UInt64($0) }.sorted()
        scalars.replaceSubrange(start..<end, with: keys.map { [scalars] in scalars[Int($0 & 0xFFFF_FFFF)] })
      }
      start = end
    }
  }

  private func compose(_ scalars: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(scalars.count)
    var starter: Int?
    // The class of the mark between starter and here, 0 when there is none.
    var last: UInt8 = 0
    for scalar in scalars {
      let current = combiningClass(scalar)
      if let starter, last == 0 || last < current, let composed = composed(result[starter], scalar) {
        result[starter] = composed
        continue
      }
      if current == 0 { starter = result.count }
      last = current
      result.append(scalar)
    }
    return result
  }

  private func composed(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if 0x1100..<0x1113 ~= first, 0x1161..<0x1176 ~= second {
      return 0xAC00 + ((first - 0x1100) * 21 + second - 0x1161) * 28
    }
    if let index = hangulIndex(first), index % 28 == 0, 0x11A8..<0x11C3 ~= second { return first + second - 0x11A7 }
    return compositions[UInt64(first) << 32 | UInt64(second)]
  }
}
