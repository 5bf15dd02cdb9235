/// A JSON value. Objects keep the order of their keys.
public enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  /// A number, as written: integers keep their digits.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)

  /// Parses one document; throws `malformed` with the byte offset. `base` and `bytesInFile` as in `JSONReader`.
  public init(parsing bytes: [UInt8], base: Int = 0, bytesInFile: Int? = nil) throws(FileError) {
    var reader = JSONReader(bytes, base: base, bytesInFile: bytesInFile)
    self = try Self.read(&reader)
    try reader.end()
  }

  /// Parses a file of at most `Limits.json` bytes.
  public init(contentsOf path: String) throws(FileError) {
    let file = try InputFile(path)
    guard file.count <= Limits.json else {
      throw FileError(.malformed, "\(file.count) bytes of JSON, allowed \(Limits.json)", file: path)
    }
    do throws(FileError) {
      self = try JSONValue(parsing: Bytes(file).load())
    } catch {
      throw error.located(file: path)
    }
  }

  /// Reads the value at the cursor.
  package static func read(_ reader: inout JSONReader) throws(FileError) -> JSONValue {
    // In an array that doubles as it grows.
    try reader.charge(2 * MemoryLayout<JSONValue>.stride)
    switch try reader.next() {
    case UInt8(ascii: "{"):
      var object = JSONObject()
      try reader.object { (reader, key, offset) throws(FileError) in
        guard object[key] == nil else { throw reader.error("JSON: duplicate key '\(escaped(key))'", at: offset) }
        try reader.charge(160 + key.utf8.count)
        object[key] = try read(&reader)
      }
      return .object(object)
    case UInt8(ascii: "["):
      var array: [JSONValue] = []
      try reader.array { (reader) throws(FileError) in array.append(try read(&reader)) }
      return .array(array)
    case UInt8(ascii: "\""):
      let text = try reader.string()
      try reader.charge(text.utf8.count > 15 ? 32 + text.utf8.count : 0)
      return .string(text)
    case UInt8(ascii: "t"):
      try reader.word("true")
      return .bool(true)
    case UInt8(ascii: "f"):
      try reader.word("false")
      return .bool(false)
    case UInt8(ascii: "n"):
      try reader.word("null")
      return .null
    default:
      return .number(String(try reader.number()))
    }
  }
}

/// The members of a JSON object, in order.
public struct JSONObject: Sendable, Equatable, ExpressibleByDictionaryLiteral {
  /// The keys, in order.
  public private(set) var keys: [String] = []
  private var values: [String: JSONValue] = [:]

  /// The given members, in order; the last of equal keys wins.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    for (key, value) in elements { self[key] = value }
  }

  /// Gets or sets a member; setting nil removes it.
  public subscript(key: String) -> JSONValue? {
    get { values[key] }
    set {
      if let newValue {
        if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
      } else if values.removeValue(forKey: key) != nil {
        keys.removeAll { $0 == key }
      }
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  /// A text.
  public init(stringLiteral value: String) { self = .string(value) }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An integer.
  public init(integerLiteral value: Int) { self = .number(String(value)) }
  /// A number.
  public init(floatLiteral value: Double) { self = .number(String(value)) }
  /// A list.
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// An object.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    var object = JSONObject()
    for (key, value) in elements { object[key] = value }
    self = .object(object)
  }

  /// An integer.
  public init(_ value: Int) { self = .number(String(value)) }
  /// A number; infinities and NaN, which JSON has not, become null.
  public init(_ value: Double) { self = value.isFinite ? .number(String(value)) : .null }
  /// A text, or null.
  public init(_ value: String?) { self = value.map(JSONValue.string) ?? .null }
  /// A list of integers.
  public init(_ values: [Int]) { self = .array(values.map { JSONValue($0) }) }
}

extension JSONValue {
  /// The member of an object, or nil.
  public subscript(key: String) -> JSONValue? { if case .object(let object) = self { object[key] } else { nil } }
  /// The members, when this is an object.
  public var object: JSONObject? { if case .object(let object) = self { object } else { nil } }
  /// The elements, when this is an array.
  public var array: [JSONValue]? { if case .array(let array) = self { array } else { nil } }
  /// The text, when this is a string.
  public var string: String? { if case .string(let string) = self { string } else { nil } }
  /// The truth value, when this is one.
  public var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
  /// The value, when this is an integer that fits.
  public var integer: Int? { if case .number(let text) = self { Int(text) } else { nil } }
  /// The value, when this is a number.
  public var number: Double? { if case .number(let text) = self { Double(text) } else { nil } }
}
