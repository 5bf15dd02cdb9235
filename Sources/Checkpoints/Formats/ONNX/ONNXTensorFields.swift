extension ONNX {
  /// The fields of a tensor's message, not checked yet.
  struct TensorFields {
    var name = ""
    var shape: [Int64] = []
    var type: Int32 = 0
    /// Its number among the scanned tensors.
    var index = 0
    var floats: [Float] = []
    var int32s: [Int32] = []
    var int64s: [Int64] = []
    var doubles: [Double] = []
    var uint64s: [UInt64] = []
    /// `external_data`, when the data lies in another file.
    var external: [(key: String, value: String)]?

    /// The tensor, or the error that using it gives when its type is not read; throws when it contradicts itself.
    func tensor(_ scanned: ScannedTensor, data: inout ExternalData) throws(FileError) -> Result<Tensor, FileError> {
      do throws(FileError) {
        let entry = Int(exactly: type).flatMap { dataTypes.indices.contains($0) ? dataTypes[$0] : nil }
        guard let entry, type != 0 else {
          throw FileError(.malformed, "data_type \(type), allowed 1 to \(dataTypes.count - 1)")
        }
        guard let dtype = entry.dtype else {
          let read = dataTypes.filter { $0.dtype != nil }.map(\.name).joined(separator: " ")
          return .failure(
            FileError(
              .unsupported, "type \(type) (\(entry.name)) is not read", offset: scanned.offset, tensor: name,
              hint: "Types read: \(read)"))
        }
        let shape = try checkedShape()
        return .success(try Tensor(dtype: dtype, shape: shape, bytes: bytes(of: dtype, shape: shape, scanned, &data)))
      } catch {
        throw error.located(offset: scanned.offset, tensor: name)
      }
    }

    private func checkedShape() throws(FileError) -> [Int] {
      var sizes: [Int] = []
      for size in shape {
        guard let size = Int(exactly: size), size >= 0 else {
          throw FileError(.malformed, "dimension \(size), allowed 0 to \(Int.max)")
        }
        sizes.append(size)
      }
      return sizes
    }

    /// The elements, of whichever field holds them.
    private func bytes(of dtype: DType, shape: [Int], _ scanned: ScannedTensor, _ data: inout ExternalData)
      throws(FileError) -> Bytes
    {
      if let external { return try data.bytes(external, count: dtype.byteCount(shape: shape)) }
      let counts = [floats.count, int32s.count, int64s.count, doubles.count, uint64s.count]
      let sources = counts.count { $0 > 0 } + (scanned.payload == nil ? 0 : 1)
      guard sources <= 1 else { throw FileError(.malformed, "data in \(sources) fields, allowed one") }
      if let payload = scanned.payload {
        let expected = try dtype.byteCount(shape: shape)
        guard payload.count == expected else {
          throw FileError(
            .malformed, "raw_data of \(payload.count) bytes, \(dtype) \(shape) needs \(expected)")
        }
        return payload
      }
      let elements = try DType.elementCount(of: shape) * (dtype == .c64 ? 2 : 1)
      let found = counts.reduce(0, +)
      let values = try typedData(dtype)
      guard let values, found == elements else {
        throw FileError(
          .malformed, "\(dtype) \(shape) needs \(elements) values in the field of its type, found \(found)")
      }
      return Bytes(values)
    }

    /// The elements of the field that the type asks for; nil when they are in another.
    private func typedData(_ dtype: DType) throws(FileError) -> [UInt8]? {
      let others = [floats.isEmpty, int32s.isEmpty, int64s.isEmpty, doubles.isEmpty, uint64s.isEmpty]
      func only(_ index: Int) -> Bool { others.enumerated().allSatisfy { $0.offset == index || $0.element } }
      switch dtype {
      case .f32, .c64: return only(0) ? littleEndian(floats.map(\.bitPattern)) : nil
      case .i32: return only(1) ? littleEndian(int32s) : nil
      case .i64: return only(2) ? littleEndian(int64s) : nil
      case .f64: return only(3) ? littleEndian(doubles.map(\.bitPattern)) : nil
      case .u64: return only(4) ? littleEndian(uint64s) : nil
      case .u32: return only(4) ? littleEndian(try narrowed(uint64s, to: UInt32.self)) : nil
      case .i8: return only(1) ? littleEndian(try narrowed(int32s, to: Int8.self)) : nil
      case .i16: return only(1) ? littleEndian(try narrowed(int32s, to: Int16.self)) : nil
      case .u8, .bool, .f8_e4m3, .f8_e5m2: return only(1) ? littleEndian(try narrowed(int32s, to: UInt8.self)) : nil
      case .u16, .f16, .bf16: return only(1) ? littleEndian(try narrowed(int32s, to: UInt16.self)) : nil
      default: return nil
      }
    }

    private func narrowed<T: FixedWidthInteger>(_ values: [some FixedWidthInteger], to type: T.Type) throws(FileError)
      -> [T]
    {
      var result: [T] = []
      result.reserveCapacity(values.count)
      for value in values {
        guard let narrow = T(exactly: value) else {
          throw FileError(.malformed, "value \(value), allowed \(T.min) to \(T.max)")
        }
        result.append(narrow)
      }
      return result
    }

    private func littleEndian<T: FixedWidthInteger & BitwiseCopyable>(_ values: [T]) -> [UInt8] {
      #if _endian(big)
        values.map(\.littleEndian).withUnsafeBytes(Array.init)
      #else
        values.withUnsafeBytes(Array.init)
      #endif
    }
  }
}
