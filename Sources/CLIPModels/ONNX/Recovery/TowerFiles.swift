import Checkpoints

/// Whether the encoders in a directory's files are those of one model, as far as the files tell.
struct TowerFiles {
  /// What our exports say of the whole model, whichever encoder they hold.
  private static let keys = ["clipkit.family", "clipkit.model.sha256", "clipkit.logit_scale", "clipkit.logit_bias"]
  private static let hint = "Put the two encoders of one model into the directory"

  private var known: [String: String] = [:]

  init() {}

  /// Throws `mismatch` where one of our exports says something else of its model than those before it.
  mutating func check(_ metadata: [(key: String, value: String)]) throws(FileError) {
    for (key, value) in metadata where Self.keys.contains(key) {
      guard value == known[key, default: value] else {
        throw FileError(
          .mismatch, "\(key) is \(escaped(value)), in the other encoder's file \(escaped(known[key] ?? ""))",
          hint: Self.hint)
      }
      known[key] = value
    }
  }

  /// Throws `mismatch` for a tensor that another file has otherwise. Large ones are not read: their shapes must do.
  static func check(_ found: ONNXRecovery.Found, _ known: Tensor) throws(FileError) {
    var isSame = found.tensor.shape == known.shape && found.tensor.dtype == known.dtype
    if isSame, known.bytes.count <= 1 << 16 { isSame = try found.tensor.bytes.load() == known.bytes.load() }
    guard isSame else {
      throw FileError(
        .mismatch, "the other encoder's file has another tensor of this name", tensor: found.name, hint: hint)
    }
  }
}
