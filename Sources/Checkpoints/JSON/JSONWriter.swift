extension JSONValue {
  /// The document as text: compact, or indented by two spaces with a final newline.
  public func text(pretty: Bool = false) -> String {
    var result = ""
    write(to: &result, indent: pretty ? 0 : nil)
    return pretty ? result + "\n" : result
  }

  private func write(to result: inout String, indent: Int?) {
    switch self {
    case .null: result += "null"
    case .bool(let value): result += value ? "true" : "false"
    case .number(let text): result += text
    case .string(let string): Self.write(string, to: &result)
    case .array(let array):
      // A list of plain values stays on one line; that is how a reader wants a shape.
      let isFlat = array.allSatisfy { $0.array == nil && $0.object == nil }
      Self.write("[", "]", array.count, to: &result, indent: isFlat ? nil : indent, flatGap: indent != nil) {
        array[$0].write(to: &$1, indent: $2)
      }
    case .object(let object):
      Self.write("{", "}", object.keys.count, to: &result, indent: indent, flatGap: false) {
        let key = object.keys[$0]
        Self.write(key, to: &$1)
        $1 += indent == nil ? ":" : ": "
        object[key]?.write(to: &$1, indent: $2)
      }
    }
  }

  private static func write(
    _ open: String, _ close: String, _ count: Int, to result: inout String, indent: Int?, flatGap: Bool,
    _ element: (Int, inout String, Int?) -> Void
  ) {
    result += open
    for index in 0..<count {
      if index > 0 { result += flatGap && indent == nil ? ", " : "," }
      if let indent { result += "\n" + String(repeating: "  ", count: indent + 1) }
      element(index, &result, indent.map { $0 + 1 })
    }
    if let indent, count > 0 { result += "\n" + String(repeating: "  ", count: indent) }
    result += close
  }

  private static func write(_ string: String, to result: inout String) {
    result += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{0}"..<"\u{20}", "\u{7F}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    result += "\""
  }
}
