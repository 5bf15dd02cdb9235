/// Python's `str` methods on arrays of scalars.
enum PythonText {
  /// `str.strip()`.
  static func strip(_ text: [UInt32]) -> [UInt32] {
    guard let first = text.firstIndex(where: { !isSpace($0) }), let last = text.lastIndex(where: { !isSpace($0) })
    else { return [] }
    return Array(text[first...last])
  }

  /// `" ".join(str.split())`.
  static func collapseSpace(_ text: [UInt32]) -> [UInt32] {
    strip(replaceRuns(text, where: isSpace))
  }

  /// `regex.sub(r"\s+", " ", str)`: unlike `split` it keeps U+001C to U+001F.
  static func replaceSpace(_ text: [UInt32]) -> [UInt32] {
    replaceRuns(text) { isSpace($0) && !(0x1C...0x1F ~= $0) }
  }

  static func isSpace(_ scalar: UInt32) -> Bool { UnicodeTable.standard[scalar].isSpace }

  /// The text with each run of members as one space.
  static func replaceRuns(_ text: [UInt32], where isMember: (UInt32) -> Bool) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(text.count)
    var isInRun = false
    for scalar in text {
      let wasInRun = isInRun
      isInRun = isMember(scalar)
      if !isInRun { result.append(scalar) } else if !wasInRun { result.append(0x20) }
    }
    return result
  }

  /// `str.lower()`: İ becomes two scalars, and Σ the final ς where Python thinks a word ends.
  static func lower(_ text: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(text.count)
    for (index, scalar) in text.enumerated() {
      switch scalar {
      case 0x41...0x5A: result.append(scalar + 0x20)
      case 0..<0x80: result.append(scalar)
      case 0x130: result += [0x69, 0x307]
      case 0x3A3: result.append(isFinalSigma(text, at: index) ? 0x3C2 : 0x3C3)
      default: result.append(UnicodeTable.standard[scalar].lowercase(of: scalar))
      }
    }
    return result
  }

  /// Whether a cased letter comes before and none after, apart from what case passes over.
  private static func isFinalSigma(_ text: [UInt32], at index: Int) -> Bool {
    func passesOver(_ scalar: UInt32) -> Bool { UnicodeTable.standard[scalar].isCaseIgnorable }
    guard let before = text[..<index].last(where: { !passesOver($0) }), UnicodeTable.standard[before].isCased else {
      return false
    }
    guard let after = text[(index + 1)...].first(where: { !passesOver($0) }) else { return true }
    return !UnicodeTable.standard[after].isCased
  }

  /// What open_clip calls canonical: no underscores, no ASCII punctuation, lower case, single spaces.
  static func canonicalize(_ text: [UInt32]) -> [UInt32] {
    collapseSpace(lower(text.compactMap { $0 == 0x5F ? 0x20 : isPunctuation($0) ? nil : $0 }))
  }

  static func isPunctuation(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
    default: false
    }
  }
}
