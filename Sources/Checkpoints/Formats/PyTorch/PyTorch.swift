/// PyTorch's formats: `torch.save` archives, TorchScript archives and files from before PyTorch 1.6.
/// `formats/pytorch.md`.
public enum PyTorch: CheckpointFormat {
  /// The name on the command line.
  public static let name = "pytorch"
  /// Output extensions; Lightning and Hugging Face use the last two.
  public static let fileExtensions = ["pt", "pth", "bin", "ckpt"]

  /// The record of an archive that holds what a state dict has no place for. PyTorch ignores it.
  static let metadataName = "clipkit_metadata.json"

  /// What a file begins with.
  private enum Kind {
    case archive, legacy, tar, mobile, executorch
    /// A pickle, but without the magic number.
    case pickle

    init?(_ head: [UInt8]) {
      func has(_ text: String, at offset: Int) -> Bool { head.dropFirst(offset).starts(with: text.utf8) }
      if has("PK\u{3}\u{4}", at: 0) || has("PK\u{5}\u{6}", at: 0) {
        self = .archive
      } else if PyTorchLegacy.begins(head) {
        self = .legacy
      } else if has("PTMF", at: 4) {
        self = .mobile
      } else if has("ET", at: 4), head.dropFirst(6).prefix(2).allSatisfy({ (0x30...0x39).contains($0) }) {
        self = .executorch
      } else if has("ustar", at: 257), head[4..<8] != [0, 0, 0, 0] {
        self = .tar
      } else if head.count >= 8, head[0] == 0x80, (2...5).contains(head[1]), head[2] != 0, head[4..<8] != [0, 0, 0, 0] {
        // Not the length of a safetensors header, whose upper bytes are zero.
        self = .pickle
      } else {
        return nil
      }
    }
  }

  /// Whether the content is of any kind that PyTorch writes, even of one that `read` refuses by name.
  public static func matches(_ file: InputFile) throws(FileError) -> Bool {
    switch Kind(try file.head(512)) {
    case nil: false
    case .archive: try PyTorchArchive.isPyTorch(file)
    default: true
    }
  }

  /// Reads names, types, shapes and metadata; data stays in the file. Nothing in the file is executed.
  /// - Throws: `usage` when several members could be the model and `options.key` names none.
  public static func read(_ file: InputFile, options: ReadOptions) throws(FileError) -> Checkpoint {
    switch Kind(try file.head(512)) {
    case .archive: return try PyTorchArchive(file, options: options).read(options: options)
    case .legacy, .pickle: return try PyTorchLegacy.read(file, options: options)
    case .tar:
      throw FileError(
        .unsupported, "tar archive of PyTorch 0.1, which is not read", offset: 0,
        hint: "Load it in PyTorch and save it again with torch.save")
    case .mobile: throw PyTorchArchive.kind("PyTorch Mobile flatbuffer (.ptl)")
    case .executorch: throw PyTorchArchive.kind("ExecuTorch program (.pte)")
    case nil: throw FileError(.malformed, "neither a zip archive nor a pickle", offset: 0)
    }
  }

  /// Throws `unsupported` for GGUF's blocks, which PyTorch has no type for.
  public static func checkStorable(_ tensor: Tensor, named name: String) throws(FileError) {
    guard PyTorchDType(tensor.dtype) != nil else {
      throw FileError(
        .unsupported, "PyTorch cannot store \(tensor.dtype)", tensor: name, hint: "Use --dtype or GGUF")
    }
  }
}
