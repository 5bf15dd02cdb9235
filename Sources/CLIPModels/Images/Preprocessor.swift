public import Checkpoints

/// Turns picture files into a model's input, as the library that the model comes from does: bit for bit.
public struct Preprocessor: Sendable {
  /// Whose way is followed.
  public let dialect: PreprocessingDialect
  /// The side of the model's square input in pixels.
  public let size: Int
  private let resizeSize: Int
  private let mode: ResizeMode
  private let filter: ResizeFilter
  /// What fills a square that the picture does not, in the samples of the file's own mode.
  private let fill: UInt8
  private let normalization: Normalization
  private let options: ImageDecodingOptions

  /// Reads the facts about images in a model's config; `dialect` overrides what they imply.
  /// - Throws: `unsupported` when a fact is missing or asks for what is not done here.
  public init(_ model: CLIPModel, dialect: PreprocessingDialect? = nil) throws(FileError) {
    try self.init(model, dialect: dialect, decoding: ImageDecodingOptions())
  }

  /// The same, with other limits on what is decoded.
  public init(
    _ model: CLIPModel, dialect: PreprocessingDialect? = nil, decoding options: ImageDecodingOptions
  ) throws(FileError) {
    if let statement = model.unsupportedPreprocessing.first {
      let path = model.checkpoint.files.first?.path
      throw FileError(.unsupported, "preprocessing of images where \(statement) is not done", file: path)
    }
    try self.init(model.config, dialect: dialect ?? PreprocessingDialect(model), options: options)
  }

  /// From the facts alone.
  package init(
    _ config: ModelConfig, dialect: PreprocessingDialect, options: ImageDecodingOptions = ImageDecodingOptions()
  ) throws(FileError) {
    let purpose = "preprocessing of images"
    for field in [ConfigField.visionImageSize, .imageMean, .imageStd, .imageInterpolation, .imageResizeMode] {
      _ = try config.required(field, for: purpose)
    }
    func choice<T: RawRepresentable<String> & CaseIterable>(
      _ field: ConfigField, _ type: T.Type
    ) throws(FileError) -> T {
      let name = config.text(field) ?? ""
      if let choice = T(rawValue: name) { return choice }
      let allowed = T.allCases.map(\.rawValue).joined(separator: ", ")
      throw FileError(.unsupported, "\(purpose) with \(field.rawValue) '\(escaped(name))', allowed \(allowed)")
    }
    size = config.integer(.visionImageSize) ?? 0
    resizeSize = config.integer(.imageResizeSize) ?? size
    for side in [size, resizeSize] where !(1...Self.largestSide).contains(side) {
      throw FileError(.unsupported, "\(purpose) to \(side) pixels, allowed 1 to \(Self.largestSide)")
    }
    mode = try choice(.imageResizeMode, ResizeMode.self)
    filter = try choice(.imageInterpolation, ResizeFilter.self)
    guard let fill = UInt8(exactly: config.integer(.imageFillColor) ?? 0) else {
      throw FileError(.unsupported, "\(purpose) with \(ConfigField.imageFillColor.rawValue) beyond 255")
    }
    let (mean, std) = (config.numbers(.imageMean) ?? [], config.numbers(.imageStd) ?? [])
    let isUsable = (mean + std).allSatisfy(\.isFinite) && std.allSatisfy { Float($0) != 0 }
    guard mean.count == 3, std.count == 3, isUsable else {
      throw FileError(.malformed, "\(purpose) by mean \(mean) and std \(std): three numbers each, std not 0")
    }
    self.dialect = dialect
    self.fill = fill
    self.options = options
    normalization = Normalization(mean: mean, std: std, dialect: dialect)
  }

  private static let largestSide = 4096

  /// Decodes, resizes and crops the picture in a file; `name` is for errors.
  /// - Throws: for a picture that cannot be decoded, or that vanishes when it is resized.
  public func prepare(_ file: Bytes, name: String) throws(FileError) -> PreparedImage {
    let image = try DecodedImage(decoding: file, name: name, options: options)
    do throws(FileError) {
      let square = try fitted(dialect == .huggingFace ? image.upright() : image)
      return PreparedImage(
        size: size, pixels: ImageCodecs.rgb(square), notes: image.notes, normalization: normalization)
    } catch {
      throw error.located(file: name)
    }
  }

  /// The picture resized and cropped or filled to the square, in its own mode.
  private func fitted(_ image: DecodedImage) throws(FileError) -> DecodedImage {
    guard let resized = mode.size(width: image.width, height: image.height, side: resizeSize) else {
      let size = "\(image.width) × \(image.height) pixels"
      throw FileError(.malformed, "\(size): a side vanishes when the longer one becomes \(resizeSize)")
    }
    let left = dialect.cropStart(resized.width, side: size)
    let top = dialect.cropStart(resized.height, side: size)
    let region = DecodedImage.Region(
      columns: max(0, left)..<min(resized.width, left + size), rows: max(0, top)..<min(resized.height, top + size))
    let part = image.resized(width: resized.width, height: resized.height, keeping: region, filter: filter)
    return part.padded(to: size, left: max(0, -left), top: max(0, -top), fill: fill)
  }
}

extension DecodedImage {
  /// The picture as transformers' `load_image` and processors see it: in RGB, turned as its orientation says. Alpha has
  /// been dropped by then, but a transparent colour has not, and is painted white.
  func upright() -> DecodedImage {
    let opaque = ImageCodecs.rgb(self)
    let rgb = transparentColor.isEmpty ? opaque : ImageCodecs.whitened(opaque, color: transparentColor)
    guard orientation > 1 else { return with(width: width, height: height, mode: .rgb, pixels: rgb) }
    let turned = ImageCodecs.oriented(rgb, width: width, height: height, orientation: orientation)
    let (width, height) = orientation > 4 ? (height, width) : (width, height)
    return with(width: width, height: height, mode: .rgb, pixels: turned)
  }

  /// The picture in a square of `side`, whose other pixels have `fill` in every sample.
  fileprivate func padded(to side: Int, left: Int, top: Int, fill: UInt8) -> DecodedImage {
    guard width < side || height < side else { return self }
    let pixel = mode == .grey16 ? [fill, 0] : [UInt8](repeating: fill, count: mode.pixelSize)
    var result: [UInt8] = []
    result.reserveCapacity(side * side * pixel.count)
    func add(_ count: Int) { for _ in 0..<count { result += pixel } }
    add(top * side)
    for row in 0..<height {
      add(left)
      result += pixels[(row * width * pixel.count)..<((row + 1) * width * pixel.count)]
      add(side - left - width)
    }
    add((side - top - height) * side)
    return with(width: side, height: side, pixels: result)
  }
}
