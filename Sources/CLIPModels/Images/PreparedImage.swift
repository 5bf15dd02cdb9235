/// A picture as the image encoder takes it, but for normalisation.
public struct PreparedImage: Sendable, Equatable {
  /// The side of the square in pixels.
  public let size: Int
  /// `size` × `size` × 3: rows from the top, red, green, blue interleaved.
  public let pixels: [UInt8]
  /// What a user should know about the file.
  public let notes: [String]
  let normalization: Normalization

  init(size: Int, pixels: [UInt8], notes: [String], normalization: Normalization) {
    self.size = size
    self.pixels = pixels
    self.notes = notes
    self.normalization = normalization
  }

  /// Writes `[3, size, size]` numbers, (x / 255 - mean) / std, with every rounding of the dialect's library.
  public func normalized(into planes: UnsafeMutablePointer<Float>) {
    ImageCodecs.normalize(pixels, table: normalization.table, into: planes)
  }
}

/// What becomes of each of 256 values in each of three channels.
struct Normalization: Sendable, Equatable {
  /// 256 numbers for red, green and blue.
  let table: [Float]

  init(mean: [Double], std: [Double], dialect: PreprocessingDialect) {
    table = zip(mean, std).flatMap { mean, std in
      (0..<256).map { value in
        // torchvision divides in single precision, transformers multiplies in double and rounds.
        let scaled = dialect == .huggingFace ? Float(Double(value) * (1.0 / 255)) : Float(value) / 255
        return (scaled - Float(mean)) / Float(std)
      }
    }
  }
}
