import Checkpoints

/// ftfy's `fix_text` in its default configuration.
enum FTFY {
  /// How many layers of escapes or misreading are taken off before the text is refused; each costs a pass.
  static let rounds = 100
  static let tooManyRounds = FileError(
    .unsupported, "text is escaped or misread more than \(rounds) times over")
  /// The longest segment in scalars.
  private static let segment = 1_000_000

  /// Fixes each line by itself. HTML's references stay from the first line with a "<" on.
  static func fix(_ text: [UInt32], observer: CleaningObserver? = nil) throws(FileError) -> [UInt32] {
    if observer == nil, isPlain(text) { return text }
    var result: [UInt32] = []
    result.reserveCapacity(text.count)
    var position = 0
    var isHTML = false
    while position < text.count {
      let newline = text[position...].firstIndex(of: 0x0A).map { $0 + 1 } ?? text.count
      let end = min(newline, position + segment)
      let line = Array(text[position..<end])
      isHTML = isHTML || line.contains(0x3C)
      result += try fixLine(line, isHTML: isHTML, observer: observer)
      position = end
    }
    return result
  }

  /// Printable ASCII without references, which nothing changes.
  private static func isPlain(_ text: [UInt32]) -> Bool {
    text.allSatisfy { 0x20...0x7E ~= $0 && $0 != 0x26 }
  }

  private static func fixLine(
    _ line: [UInt32], isHTML: Bool, observer: CleaningObserver?
  ) throws(FileError) -> [UInt32] {
    let tables = FTFYTables.standard
    var text = line
    func step(_ name: String, _ fixed: [UInt32]) {
      if fixed != text { observer?("ftfy: \(name)", text, fixed) }
      text = fixed
    }
    for _ in 0..<rounds {
      let before = text
      if !isHTML { step("unescape_html", HTMLEntities.unescapeWithSemicolon(text)) }
      step("fix_encoding", try Mojibake.fix(text))
      step("fix_c1_controls", Mojibake.fixControls(text))
      step("fix_latin_ligatures", replace(text, tables.ligatures))
      step("fix_character_width", replace(text, tables.widths))
      step("uncurl_quotes", uncurl(text, tables))
      step("fix_line_breaks", unifyLineBreaks(text))
      step("remove_terminal_escapes", removeTerminalEscapes(text, tables))
      step("remove_control_chars", text.filter { !tables.removed.contains($0) })
      step("NFC", NormalizationFormC.python.normalize(text))
      if text == before { return text }
    }
    throw tooManyRounds
  }

  private static func replace(_ text: [UInt32], _ replacements: [UInt32: [UInt32]]) -> [UInt32] {
    guard text.contains(where: { $0 >= 0x80 && replacements[$0] != nil }) else { return text }
    return text.flatMap { replacements[$0] ?? [$0] }
  }

  private static func uncurl(_ text: [UInt32], _ tables: FTFYTables) -> [UInt32] {
    text.map { tables.singleQuotes.contains($0) ? 0x27 : tables.doubleQuotes.contains($0) ? 0x22 : $0 }
  }

  private static func unifyLineBreaks(_ text: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(text.count)
    for (index, scalar) in text.enumerated() {
      switch scalar {
      case 0x0A where index > 0 && text[index - 1] == 0x0D: break
      case 0x0D, 0x2028, 0x2029, 0x85: result.append(0x0A)
      default: result.append(scalar)
      }
    }
    return result
  }

  /// Removes ESC [, digits and semicolons, and the letter that ends them.
  private static func removeTerminalEscapes(_ text: [UInt32], _ tables: FTFYTables) -> [UInt32] {
    guard text.contains(0x1B) else { return text }
    var result: [UInt32] = []
    var position = 0
    while position < text.count {
      if text[position] == 0x1B, position + 1 < text.count, text[position + 1] == 0x5B {
        let end = text[(position + 2)...].firstIndex { !tables.terminalParameters.contains($0) } ?? text.count
        if end < text.count, 0x41...0x5A ~= text[end] & ~0x20 {
          position = end + 1
          continue
        }
      }
      result.append(text[position])
      position += 1
    }
    return result
  }
}
