/// A value of a checkpoint's metadata, with the types that GGUF has.
///
/// safetensors stores strings only; other values are written there as text.
public enum MetadataValue: Sendable, Equatable {
  case uint8(UInt8), int8(Int8), uint16(UInt16), int16(Int16)
  case uint32(UInt32), int32(Int32), uint64(UInt64), int64(Int64)
  case float32(Float), float64(Double)
  case bool(Bool)
  case string(String)
  case strings([String])
  case bools([Bool])
  /// 32-bit floats and, below, 64-bit ones.
  case floats([Float])
  case doubles([Double])
  /// Signed 32-bit integers, GGUF's usual list of numbers; the other widths follow.
  case integers([Int32])
  case uint8s([UInt8]), int8s([Int8]), uint16s([UInt16]), int16s([Int16])
  case uint32s([UInt32]), uint64s([UInt64]), int64s([Int64])

  /// The value as an integer, when it is one that fits.
  public var integer: Int? {
    switch self {
    case .uint8(let value): Int(value)
    case .int8(let value): Int(value)
    case .uint16(let value): Int(value)
    case .int16(let value): Int(value)
    case .uint32(let value): Int(value)
    case .int32(let value): Int(value)
    case .uint64(let value): Int(exactly: value)
    case .int64(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The value as a double, when it is a number.
  public var number: Double? {
    switch self {
    case .float32(let value): Double(value)
    case .float64(let value): value
    default: integer.map(Double.init)
    }
  }

  /// The value as a truth value.
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

  /// The value as text.
  public var string: String? { if case .string(let value) = self { value } else { nil } }

  /// The value as a list of texts.
  public var strings: [String]? { if case .strings(let value) = self { value } else { nil } }

  /// The value as a list of numbers.
  public var numbers: [Double]? {
    switch self {
    case .floats(let values): values.map(Double.init)
    case .doubles(let values): values
    case .uint8s(let values): values.map(Double.init)
    case .int8s(let values): values.map(Double.init)
    case .uint16s(let values): values.map(Double.init)
    case .int16s(let values): values.map(Double.init)
    case .uint32s(let values): values.map(Double.init)
    case .integers(let values): values.map(Double.init)
    case .uint64s(let values): values.map(Double.init)
    case .int64s(let values): values.map(Double.init)
    default: nil
    }
  }
}

/// Metadata by key, in the order it was added.
public struct Metadata: Sendable, Equatable {
  /// The keys in order.
  public private(set) var keys: [String] = []
  private var values: [String: MetadataValue] = [:]

  /// No metadata.
  public init() {}

  /// Makes room for so many keys.
  mutating func reserveCapacity(_ count: Int) {
    keys.reserveCapacity(count)
    values.reserveCapacity(count)
  }

  /// Gets or sets a value; setting nil removes the key.
  public subscript(key: String) -> MetadataValue? {
    get { values[key] }
    set {
      if values.updateValue(newValue ?? .bool(false), forKey: key) == nil { keys.append(key) }
      if newValue == nil {
        values[key] = nil
        keys.removeAll { $0 == key }
      }
    }
  }

  /// Whether there is none.
  public var isEmpty: Bool { keys.isEmpty }
}
