public import Checkpoints

/// What a model is given when it is recorded.
public struct GoldenInputs: Sendable {
  /// Texts, as a model takes them in.
  public enum Texts: Sendable {
    /// To be tokenized.
    case prompts([String])
    /// Ids of one length, as they are.
    case ids([[Int32]])

    /// The number of texts.
    var count: Int {
      switch self {
      case .prompts(let prompts): prompts.count
      case .ids(let ids): ids.count
      }
    }
  }

  /// Image files, what they are called, and where errors say that they are.
  public var images: [(name: String, path: String, file: Bytes)]
  /// The texts.
  public var texts: Texts
  /// The image that each text describes, as golden files store it; nil where the counts say it.
  var pairs: Tensor?

  /// Image files, under their own names, and prompts.
  public init(imagePaths: [String], prompts: [String]) throws(FileError) {
    images = []
    for path in imagePaths {
      let file = try InputFile(path)
      images.append((lastComponent(of: path), path, Bytes(file)))
    }
    texts = .prompts(prompts)
  }

  /// What a golden file was recorded from; with `asIDs` its token ids in place of its prompts.
  public init(_ golden: Golden, asIDs: Bool = false) throws(FileError) {
    images = golden.imageNames.enumerated().map { ($1, $1, golden.image($0)) }
    if let prompts = golden.prompts, !asIDs {
      texts = .prompts(prompts)
    } else {
      texts = .ids(try golden.inputIDs())
    }
    pairs = golden.checkpoint["pairs"]
  }
}
