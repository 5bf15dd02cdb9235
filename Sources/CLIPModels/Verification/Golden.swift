public import Checkpoints

/// What one model makes of some images and prompts, as a golden file holds it: `formats/golden.md`.
///
/// One that exists is consistent: names, counts and shapes agree. Whether numbers are finite is for `checkNumbers()`.
public struct Golden: Sendable {
  /// The version of the format.
  static let version = "1"

  /// Metadata and tensors under the format's names.
  public let checkpoint: Checkpoint
  /// The names of the images.
  public let imageNames: [String]
  /// The texts; nil where token ids are the input.
  public let prompts: [String]?
  /// How many ids of each text the encoder must see.
  public let tokenCounts: [Int]
  /// The image that each text describes, or nil.
  public let pairs: [Int?]
  /// How logits become probabilities.
  public let family: ModelFamily
  /// The factor of the cosines; 0 without logits.
  public let logitScale: Double
  /// The stages that are there, in order.
  public let stages: [Stage]

  /// Whether what is inside the encoders, and the temperature of the logits, is there as far as a graph shows it.
  var isPartial: Bool { checkpoint.metadata["clipkit.partial"]?.string == "true" }

  /// The number of images.
  public var imageCount: Int { imageNames.count }
  /// The number of texts.
  public var textCount: Int { tokenCounts.count }

  /// Whether a checkpoint says that it is a golden file, of any version.
  public static func isGolden(_ checkpoint: Checkpoint) -> Bool { checkpoint.metadata["clipkit.golden"] != nil }

  /// Opens a golden file and checks every number in it.
  public static func open(_ path: String) throws(FileError) -> Golden {
    let checkpoint = try Checkpoint.open(path)
    do throws(FileError) {
      guard isGolden(checkpoint) else {
        throw FileError(
          .malformed, "not a golden file: no 'clipkit.golden' in its metadata",
          hint: "clipkit reference and tools/make_reference.py write them")
      }
      let golden = try Golden(checkpoint)
      try golden.checkNumbers()
      return golden
    } catch {
      throw error.located(file: path)
    }
  }

  /// Checks names, types, shapes and counts; `formats/golden.md` lists what is refused.
  public init(_ checkpoint: Checkpoint) throws(FileError) {
    let layout = try GoldenLayout(checkpoint)
    self.checkpoint = checkpoint
    imageNames = layout.imageNames
    prompts = layout.prompts
    tokenCounts = layout.tokenCounts
    pairs = layout.pairs
    family = layout.family
    logitScale = layout.logitScale
    stages = checkpoint.names.compactMap { Stage(tensor: $0) }.sorted()
  }

  /// The bytes of an image's file.
  public func image(_ index: Int) -> Bytes { checkpoint["images.\(index)"]?.bytes ?? Bytes([]) }

  /// The side of an image's square and its pixels after resize and crop, [side, side, 3].
  public func pixels(_ index: Int) throws(FileError) -> (side: Int, pixels: [UInt8])? {
    guard let tensor = checkpoint["pixels"] else { return nil }
    return (tensor.shape[1], try tensor.rows(index..<(index + 1)).bytes.load())
  }

  /// The ids of each text, all of the context length; empty without texts.
  public func inputIDs() throws(FileError) -> [[Int32]] {
    guard let tensor = checkpoint["input_ids"] else { return [] }
    let ids = try tensor.integers()
    let context = tensor.shape[1]
    return (0..<textCount).map { Array(ids[($0 * context)..<(($0 + 1) * context)]) }
  }

  /// The length of the rows of a stage of numbers, and how many rows each image or text has.
  func rows(of stage: Stage) -> (columns: Int, counts: [Int]) {
    let shape = checkpoint[stage.tensorName]?.shape ?? []
    let isPerToken = stage.group == .hidden && !stage.name.hasSuffix(".pooled")
    if isPerToken, stage.isAboutText { return (shape[1], tokenCounts) }
    let count = isPerToken ? shape[1] : 1
    return (shape.last ?? 0, [Int](repeating: count, count: shape.first ?? 0))
  }

  /// Throws for numbers that are not finite and for embeddings that are not of length 1.
  public func checkNumbers() throws(FileError) {
    for stage in stages where ![.tokens, .pixels].contains(stage.group) {
      guard let tensor = checkpoint[stage.tensorName] else { continue }
      let numbers = try tensor.doubles()
      if let index = numbers.firstIndex(where: { !$0.isFinite }) {
        throw FileError(.malformed, "number \(index) is \(numbers[index])", tensor: stage.tensorName)
      }
      guard stage.group == .embeddings else { continue }
      let width = tensor.shape[1]
      for row in 0..<tensor.shape[0] {
        let squares = numbers[(row * width)..<((row + 1) * width)].reduce(0) { $0 + $1 * $1 }
        guard abs(squares.squareRoot() - 1) <= 1e-3 else {
          throw FileError(
            .malformed, "row \(row) has length \(squares.squareRoot()), expected 1", tensor: stage.tensorName)
        }
      }
    }
  }

  /// Writes the file; throws when a number is not finite.
  public func write(to path: String, policy: FileWriter.Policy) throws(FileError) {
    try checkNumbers()
    let writer = try FileWriter(path, policy: policy)
    try Safetensors.write(checkpoint, to: writer)
    try writer.commit()
  }
}

extension Tensor {
  /// The numbers of an f32 or f64 tensor, which the caller knows it to be.
  func doubles() throws(FileError) -> [Double] {
    dtype == .f64
      ? try values { Double(bitPattern: UInt64(littleEndian: $0)) }
      : try values { Double(Float(bitPattern: UInt32(littleEndian: $0))) }
  }

  /// The numbers of an i32 tensor, which the caller knows it to be.
  func integers() throws(FileError) -> [Int32] { try values { Int32(littleEndian: $0) } }

  private func values<Raw: BitwiseCopyable, Value>(_ value: (Raw) -> Value) throws(FileError) -> [Value] {
    try bytes.load().withUnsafeBytes { buffer in
      (0..<count).map { value(buffer.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Raw>.size, as: Raw.self)) }
    }
  }
}
