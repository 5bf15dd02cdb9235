/// NumPy's formats: `.npz`, a zip archive of arrays, and `.npy`, one array. `formats/npz.md`.
public enum NPZ: CheckpointFormat {
  /// `npz`, for both formats.
  public static let name = "npz"
  /// `npz` and `npy`; what is written is always npz.
  public static let fileExtensions = ["npz", "npy"]

  static let memberSuffix = ".npy"
  /// The member that holds the checkpoint's metadata.
  static let metadataName = "__metadata__"

  /// NumPy's kind and size of each type. `V2`, two bytes of anything, is what NumPy makes of bfloat16.
  static let dtypes: [(code: String, dtype: DType)] = [
    ("b1", .bool), ("u1", .u8), ("i1", .i8), ("u2", .u16), ("i2", .i16), ("u4", .u32), ("i4", .i32), ("u8", .u64),
    ("i8", .i64), ("f2", .f16), ("f4", .f32), ("f8", .f64), ("c8", .c64), ("V2", .bf16),
  ]

  /// An array begins with its magic number. An archive is one of arrays when it holds one, and no pickle of PyTorch's,
  /// or when it holds nothing: `numpy.savez` without arrays.
  public static func matches(_ file: InputFile) throws(FileError) -> Bool {
    if try isArray(file) { return true }
    guard try ZipArchive.matches(file) else { return false }
    let names = try ZipArchive(file).entries.map(\.name)
    return names.isEmpty
      || names.contains { $0.hasSuffix(memberSuffix) }
        && !names.contains { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }
  }

  static func isArray(_ file: InputFile) throws(FileError) -> Bool {
    try file.head(NPYHeader.magic.count) == NPYHeader.magic
  }

  /// Throws unless NumPy has the type, and the name can be that of an archive's entry.
  public static func checkStorable(_ tensor: Tensor, named name: String) throws(FileError) {
    guard dtypes.contains(where: { $0.dtype == tensor.dtype }) else {
      throw FileError(
        .unsupported, "npz cannot store \(tensor.dtype)", tensor: name, hint: "Use --dtype or another format")
    }
    try checkName(name)
  }

  static func checkName(_ name: String) throws(FileError) {
    guard name != metadataName else { throw FileError(.unsupported, "npz reserves this name", tensor: name) }
    let bytes = name.utf8
    guard !bytes.isEmpty, !bytes.contains(0), bytes.count <= 0xFFFF - memberSuffix.utf8.count else {
      throw FileError(
        .unsupported, "name of \(bytes.count) bytes, npz allows 1 to \(0xFFFF - memberSuffix.utf8.count) without NUL",
        tensor: name)
    }
    guard bytes.first != UInt8(ascii: "/"), !bytes.split(separator: UInt8(ascii: "/")).contains(where: isParent) else {
      throw FileError(
        .unsupported, "a name that begins with / or has the component '..' is not written to an archive", tensor: name)
    }
  }

  private static func isParent(_ component: Substring.UTF8View) -> Bool { component.elementsEqual("..".utf8) }
}
