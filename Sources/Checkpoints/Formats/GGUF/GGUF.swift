/// The GGUF format of ggml: typed metadata, a list of tensors, aligned data. `formats/gguf.md`.
public enum GGUF: CheckpointFormat {
  /// `gguf`.
  public static let name = "gguf"
  /// `.gguf`.
  public static let fileExtensions = ["gguf"]

  static let magic = Array("GGUF".utf8)
  static let swappedMagic = Array("FUGG".utf8)
  static let defaultAlignment = 32
  static let maximumDimensions = 4
  static let maximumNameBytes = 63
  static let maximumKeyBytes = 65_535
  /// Tensors that are written with one dimension of 1 but have none.
  static let scalarsKey = "clipkit.scalars"
  static let alignmentKey = "general.alignment"

  /// By the magic number. A byte-swapped one is taken too, so that the reader can say what is wrong with it.
  public static func matches(_ file: InputFile) throws(FileError) -> Bool {
    let head = try file.head(4)
    return head == magic || head == swappedMagic
  }

  /// Throws `unsupported` for types that ggml has not, more than 4 dimensions, and names that ggml would cut.
  public static func checkStorable(_ tensor: Tensor, named name: String) throws(FileError) {
    guard TensorType.storing(tensor.dtype) != nil else {
      throw FileError(
        .unsupported, "GGUF cannot store \(tensor.dtype)", tensor: name, hint: "Write safetensors, which can")
    }
    guard tensor.shape.count <= maximumDimensions else {
      throw FileError(
        .unsupported, "\(tensor.shape.count) dimensions, GGUF allows \(maximumDimensions)", tensor: name,
        hint: "Write safetensors, which allows more")
    }
    guard name.utf8.count <= maximumNameBytes, !name.utf8.contains(0) else {
      let found = name.utf8.contains(0) ? "name with a NUL byte" : "name of \(name.utf8.count) bytes"
      throw FileError(
        .unsupported, "\(found), GGUF allows \(maximumNameBytes) without NUL", tensor: name,
        hint: "Write safetensors, which allows any name")
    }
  }

  /// The alignment that metadata asks for, in bytes.
  static func alignment(of metadata: Metadata) throws(FileError) -> Int {
    guard let value = metadata[alignmentKey] else { return defaultAlignment }
    guard case .uint32(let alignment) = value else {
      throw FileError(.malformed, "\(alignmentKey) is '\(escaped(value.text))' of another type, allowed a u32")
    }
    guard alignment.nonzeroBitCount == 1, alignment <= Limits.ggufAlignment else {
      throw FileError(
        .malformed, "\(alignmentKey) is \(alignment), allowed a power of two up to \(Limits.ggufAlignment)")
    }
    return Int(alignment)
  }

  /// The next multiple of `alignment`; `offset` is far from the largest integer.
  static func aligned(_ offset: Int, to alignment: Int) -> Int {
    (offset + alignment - 1) / alignment * alignment
  }
}
