/// The npz format. `formats/npz.md`.
public enum NPZ: CheckpointFormat {
  public static let name = "npz"
  public static let fileExtensions = ["npz"]
  public static func matches(_ file: InputFile) throws(FileError) -> Bool { false }
  public static func read(_ file: InputFile, options: ReadOptions) throws(FileError) -> Checkpoint {
    throw FileError(.unsupported, "not yet")
  }
  public static func checkStorable(_ tensor: Tensor, named name: String) throws(FileError) {}
  public static func write(_ checkpoint: Checkpoint, to output: FileWriter) throws(FileError) {
    throw FileError(.unsupported, "not yet")
  }
}
