extension Metadata {
  /// Metadata as JSON that keeps the type of each value: `{"KEY": {"uint32": 512}}`.
  var json: JSONValue {
    var object = JSONObject()
    for key in keys { object[key] = self[key]?.typedJSON }
    return .object(object)
  }

  /// Reads what `json` writes; throws `malformed` for anything else.
  init(json: JSONValue) throws(FileError) {
    self.init()
    guard let object = json.object else { throw FileError(.malformed, "metadata is not a JSON object") }
    for key in object.keys {
      guard let typed = object[key]?.object, typed.keys.count == 1, let type = typed.keys.first,
        let value = typed[type].flatMap({ MetadataValue(type: type, json: $0) })
      else { throw FileError(.malformed, "metadata '\(escaped(key))' is not one value of a known type") }
      self[key] = value
    }
  }
}

extension MetadataValue {
  fileprivate var typedJSON: JSONValue {
    func list<T>(_ values: [T], _ element: (T) -> JSONValue) -> JSONValue { .array(values.map(element)) }
    func integer<T: BinaryInteger>(_ value: T) -> JSONValue { .number("\(value)") }
    // JSON has no infinities; a text keeps them.
    func float<T: BinaryFloatingPoint & LosslessStringConvertible>(_ value: T) -> JSONValue {
      value.isFinite ? .number("\(value)") : .string("\(value)")
    }
    return switch self {
    case .uint8(let value): ["uint8": integer(value)]
    case .int8(let value): ["int8": integer(value)]
    case .uint16(let value): ["uint16": integer(value)]
    case .int16(let value): ["int16": integer(value)]
    case .uint32(let value): ["uint32": integer(value)]
    case .int32(let value): ["int32": integer(value)]
    case .uint64(let value): ["uint64": integer(value)]
    case .int64(let value): ["int64": integer(value)]
    case .float32(let value): ["float32": float(value)]
    case .float64(let value): ["float64": float(value)]
    case .bool(let value): ["bool": .bool(value)]
    case .string(let value): ["string": .string(value)]
    case .strings(let values): ["strings": list(values, JSONValue.string)]
    case .bools(let values): ["bools": list(values, JSONValue.bool)]
    case .floats(let values): ["floats": list(values, float)]
    case .doubles(let values): ["doubles": list(values, float)]
    case .integers(let values): ["int32s": list(values, integer)]
    case .uint8s(let values): ["uint8s": list(values, integer)]
    case .int8s(let values): ["int8s": list(values, integer)]
    case .uint16s(let values): ["uint16s": list(values, integer)]
    case .int16s(let values): ["int16s": list(values, integer)]
    case .uint32s(let values): ["uint32s": list(values, integer)]
    case .uint64s(let values): ["uint64s": list(values, integer)]
    case .int64s(let values): ["int64s": list(values, integer)]
    }
  }

  fileprivate init?(type: String, json: JSONValue) {
    func integer<T: FixedWidthInteger>(_ json: JSONValue) -> T? {
      if case .number(let text) = json { T(text) } else { nil }
    }
    func float<T: BinaryFloatingPoint & LosslessStringConvertible>(_ json: JSONValue) -> T? {
      switch json {
      case .number(let text), .string(let text): T(text)
      default: nil
      }
    }
    func list<T>(_ element: (JSONValue) -> T?) -> [T]? {
      guard let array = json.array else { return nil }
      let values = array.compactMap(element)
      return values.count == array.count ? values : nil
    }
    let value: MetadataValue? =
      switch type {
      case "uint8": integer(json).map(MetadataValue.uint8)
      case "int8": integer(json).map(MetadataValue.int8)
      case "uint16": integer(json).map(MetadataValue.uint16)
      case "int16": integer(json).map(MetadataValue.int16)
      case "uint32": integer(json).map(MetadataValue.uint32)
      case "int32": integer(json).map(MetadataValue.int32)
      case "uint64": integer(json).map(MetadataValue.uint64)
      case "int64": integer(json).map(MetadataValue.int64)
      case "float32": float(json).map(MetadataValue.float32)
      case "float64": float(json).map(MetadataValue.float64)
      case "bool": json.bool.map(MetadataValue.bool)
      case "string": json.string.map(MetadataValue.string)
      case "strings": list(\.string).map(MetadataValue.strings)
      case "bools": list(\.bool).map(MetadataValue.bools)
      case "floats": list(float).map(MetadataValue.floats)
      case "doubles": list(float).map(MetadataValue.doubles)
      case "int32s": list(integer).map(MetadataValue.integers)
      case "uint8s": list(integer).map(MetadataValue.uint8s)
      case "int8s": list(integer).map(MetadataValue.int8s)
      case "uint16s": list(integer).map(MetadataValue.uint16s)
      case "int16s": list(integer).map(MetadataValue.int16s)
      case "uint32s": list(integer).map(MetadataValue.uint32s)
      case "uint64s": list(integer).map(MetadataValue.uint64s)
      case "int64s": list(integer).map(MetadataValue.int64s)
      default: nil
      }
    guard let value else { return nil }
    self = value
  }
}
