/// Which library's way from a file to the model's input is followed.
public enum PreprocessingDialect: String, Sendable, CaseIterable {
  /// OpenAI's CLIP: resized in the file's own mode, cropped at the centre, then RGB. EXIF is not looked at.
  case openAI = "openai"
  /// open_clip: the same, and two more ways to meet the square.
  case openCLIP = "open_clip"
  /// transformers' `CLIPImageProcessorPil` and `SiglipImageProcessorPil`: turned as EXIF says, RGB, then resized.
  case huggingFace = "hf-pil"

  /// The dialect of a model: what its config's source implies, else that of the library that names its tensors.
  init(_ model: CLIPModel) {
    let stated = model.config.text(.imagePreprocessing).flatMap(Self.init)
    self = stated ?? (model.dialect.name == "hf" ? .huggingFace : .openCLIP)
  }

  /// Where a crop of `side` pixels starts in `length`; negative where the picture is the smaller one.
  func cropStart(_ length: Int, side: Int) -> Int {
    let margin = length - side
    switch self {
    case .huggingFace: return margin >> 1
    case .openAI, .openCLIP:
      // Python's `round`, half to even; padding has its larger half after the picture.
      return margin < 0 ? -(-margin / 2) : Int((Double(margin) / 2).rounded(.toNearestOrEven))
    }
  }
}

/// How a picture meets the square.
enum ResizeMode: String, CaseIterable {
  /// The shorter side becomes the square's, what is beyond it is cropped.
  case shortest
  /// The longer side becomes the square's, the rest is filled.
  case longest
  /// Both sides become the square's.
  case squash

  /// The size of the resized picture; nil when a side would vanish.
  func size(width: Int, height: Int, side: Int) -> (width: Int, height: Int)? {
    switch self {
    case .squash: return (side, side)
    case .shortest:
      let (short, long) = (min(width, height), max(width, height))
      let newLong = Int(Double(side * long) / Double(short))
      return width <= height ? (side, newLong) : (newLong, side)
    case .longest:
      // open_clip's ResizeKeepRatio, with the weight of the longer side at 1.
      let across = Double(width) / Double(side)
      let down = Double(height) / Double(side)
      let ratio = max(down, across) * 1 + min(down, across) * 0
      let size = (
        Int((Double(width) / ratio).rounded(.toNearestOrEven)), Int((Double(height) / ratio).rounded(.toNearestOrEven))
      )
      return size.0 > 0 && size.1 > 0 ? size : nil
    }
  }
}
