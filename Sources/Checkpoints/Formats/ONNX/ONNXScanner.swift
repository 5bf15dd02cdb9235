extension ONNX {
  /// What is known of a tensor before its message is unpacked.
  struct ScannedTensor {
    /// Where its message begins in the file.
    var offset: Int
    /// `raw_data`, still in the file.
    var payload: Bytes?
  }

  /// Walks the wire format in front of protobuf-c, which bounds neither nesting nor memory and copies every payload.
  ///
  /// What remains is the skeleton: the fields of `formats/onnx.proto` without `raw_data`, for which each tensor gets
  /// its number in `tensors`. Unpacking it is bounded by the limits that hold here.
  struct Scanner {
    private var reader: ByteReader
    /// The model's message for protobuf-c.
    private(set) var skeleton: [UInt8] = []
    /// The tensors, in the order in which their messages begin.
    private(set) var tensors: [ScannedTensor] = []
    private var memory = 0

    /// Scans a whole file.
    init(_ bytes: Bytes) throws(FileError) {
      reader = ByteReader(bytes)
      try scan(.model, end: bytes.count, depth: 1)
    }

    private mutating func scan(_ message: Message, end: Int, depth: Int) throws(FileError) {
      guard depth <= Limits.nesting else {
        throw reader.error(.malformed, "nesting > \(Limits.nesting)")
      }
      try charge(message.memory)
      let tensor = tensors.count
      if message == .tensor { tensors.append(ScannedTensor(offset: reader.fileOffset)) }
      let fields = message.fields
      var seen: UInt64 = 0
      while reader.offset < end {
        let start = reader.fileOffset
        let (number, wireType) = try reader.protobufKey(end: end)
        guard let field = fields[number] else {
          try reader.skipProtobufValue(wireType, end: end)
          continue
        }
        guard field.isRepeated || seen >> UInt64(number) & 1 == 0 else {
          throw FileError(.malformed, "protobuf: two \(field.name) in one \(message)", offset: start)
        }
        seen |= 1 << UInt64(number)
        guard wireType == field.wireType || (field.isRepeated && field.isNumber && wireType == 2) else {
          throw FileError(
            .malformed, "protobuf: \(field.name) has wire type \(wireType), allowed \(field.wireType)", offset: start)
        }
        if field.kind != .payload { append(UInt64(number) << 3 | wireType) }
        if field.kind == .payload {
          let length = try reader.protobufLength("raw_data", end: end)
          tensors[tensor].payload = try reader.slice(length, "raw_data")
        } else if field.isNumber, wireType != 2 {
          try copyNumber(field, end: end)
        } else {
          try copyBytes(field, end: end, depth: depth, start: start)
        }
      }
      if message == .tensor {
        // raw_data: the tensor's number.
        append(9 << 3 | 2)
        append(8)
        withUnsafeBytes(of: UInt64(tensor).littleEndian) { skeleton.append(contentsOf: $0) }
      }
    }

    private mutating func copyNumber(_ field: Field, end: Int) throws(FileError) {
      if field.isRepeated { try charge(32) }
      guard case .fixed(let size) = field.kind else { return append(try reader.varint(field.name, end: end)) }
      try reader.require(size, before: end, for: field.name)
      skeleton += try reader.array(size, field.name)
    }

    /// A string, bytes, a message or packed numbers.
    private mutating func copyBytes(_ field: Field, end: Int, depth: Int, start: Int) throws(FileError) {
      let length = try reader.protobufLength(field.name, end: end)
      switch field.kind {
      case .message(let message):
        // The length is known when what it holds has been copied: room for the longest.
        let place = skeleton.count
        skeleton += [0x80, 0x80, 0x80, 0x80, 0]
        try scan(message, end: reader.offset + length, depth: depth + 1)
        var size = skeleton.count - place - 5
        for index in 0..<5 {
          skeleton[place + index] |= UInt8(size & 0x7F)
          size >>= 7
        }
      case .refused:
        throw FileError(.unsupported, "\(field.name) is not read", offset: start)
      default:
        // Packed integers may take one byte here and eight in memory, twice.
        let (cost, overflow) = length.multipliedReportingOverflow(by: field.kind == .integer ? 16 : 3)
        try charge(overflow ? Int.max : cost + 64)
        append(UInt64(length))
        let offset = reader.fileOffset
        if field.kind == .string {
          let text = try reader.string(length, field.name)
          guard !text.utf8.contains(0) else {
            throw FileError(.malformed, "\(field.name) '\(escaped(text))' with a NUL byte", offset: offset)
          }
          skeleton += text.utf8
        } else {
          skeleton += try reader.array(length, field.name)
        }
      }
    }

    /// Counts memory that the unpacked model will take.
    private mutating func charge(_ size: Int) throws(FileError) {
      let allowed = Limits.valuesBase + Limits.onnxRatio * skeleton.count
      let (sum, overflow) = memory.addingReportingOverflow(size)
      guard !overflow, sum <= allowed, skeleton.count <= Limits.onnxSkeleton else {
        throw reader.error(
          .malformed, "a model of so many parts, or with data outside raw_data, takes too much memory",
          hint: "Save it with all tensors' data in raw_data")
      }
      memory = sum
    }

    private mutating func append(_ varint: UInt64) {
      var value = varint
      while value >= 0x80 {
        skeleton.append(UInt8(value & 0x7F) | 0x80)
        value >>= 7
      }
      skeleton.append(UInt8(value))
    }
  }
}
