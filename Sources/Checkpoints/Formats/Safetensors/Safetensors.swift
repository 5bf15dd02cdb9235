/// The safetensors format: a JSON header with the byte range of each tensor, then the bytes. `formats/safetensors.md`.
public enum Safetensors: CheckpointFormat {
  /// `safetensors`.
  public static let name = "safetensors"
  /// `.safetensors`.
  public static let fileExtensions = ["safetensors"]

  /// Without a magic number, a header length that fits the file followed by a JSON object is the best evidence.
  public static func matches(_ file: InputFile) throws(FileError) -> Bool {
    let head = try file.head(64)
    guard head.count >= 9 else { return false }
    let text = head.dropFirst(8).first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    return text == UInt8(ascii: "{") || looksLikeHeaderLength(head, fileSize: file.count)
  }

  /// Whether the first eight bytes are a length that fits the file.
  static func looksLikeHeaderLength(_ head: [UInt8], fileSize: Int) -> Bool {
    let length = head.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return length > 1 && length <= UInt64(Limits.safetensorsHeader) && length <= UInt64(fileSize)
  }

  static let dtypes: [(name: String, dtype: DType)] = [
    ("BOOL", .bool), ("U8", .u8), ("I8", .i8), ("U16", .u16), ("I16", .i16), ("U32", .u32), ("I32", .i32),
    ("U64", .u64), ("I64", .i64), ("F16", .f16), ("BF16", .bf16), ("F32", .f32), ("F64", .f64), ("C64", .c64),
    ("F8_E4M3", .f8_e4m3), ("F8_E5M2", .f8_e5m2),
  ]

  /// Throws `unsupported` for types that safetensors has not, and for the name of its metadata.
  public static func checkStorable(_ tensor: Tensor, named name: String) throws(FileError) {
    guard dtypes.contains(where: { $0.dtype == tensor.dtype }) else {
      throw FileError(
        .unsupported, "safetensors cannot store \(tensor.dtype)", tensor: name, hint: "Use --dtype or GGUF")
    }
    guard name != "__metadata__" else {
      throw FileError(.unsupported, "safetensors reserves this name", tensor: name)
    }
  }
}
