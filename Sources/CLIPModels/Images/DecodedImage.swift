import Checkpoints

/// What the samples of a pixel mean: Pillow's modes.
public enum PixelMode: String, Sendable, CaseIterable {
  /// A byte, 0 or 1.
  case bilevel = "1"
  /// Grey.
  case grey = "L"
  /// Grey and alpha.
  case greyAlpha = "LA"
  /// Grey of 16 bits, little-endian.
  case grey16 = "I;16"
  /// A byte that counts colours of the palette.
  case palette = "P"
  /// Red, green, blue.
  case rgb = "RGB"
  /// Red, green, blue, alpha; not premultiplied.
  case rgba = "RGBA"
  /// Cyan, magenta, yellow, black; 0 is no ink.
  case cmyk = "CMYK"

  /// Bytes of one pixel.
  var pixelSize: Int {
    switch self {
    case .bilevel, .grey, .palette: 1
    case .greyAlpha, .grey16: 2
    case .rgb: 3
    case .rgba, .cmyk: 4
    }
  }
}

/// A picture as Pillow would have it after `Image.open` and `load`: same mode, same bytes.
public struct DecodedImage: Sendable, Equatable {
  /// Pixels in a row.
  public let width: Int
  /// Rows.
  public let height: Int
  /// What the bytes mean.
  public let mode: PixelMode
  /// `height` rows from the top, without gaps, samples interleaved.
  public let pixels: [UInt8]
  /// 256 colours of red, green, blue, if the mode is a palette's; else empty.
  public let palette: [UInt8]
  /// The red, green and blue that a PNG file names as transparent, or empty. Pillow keeps it beside the pixels.
  let transparentColor: [UInt8]
  /// EXIF's orientation, 1 to 8: how the picture is to be turned. 1 is as it lies.
  public let orientation: Int
  /// What a user should know about the file.
  public let notes: [String]

  /// The caller keeps `pixels.count == width * height * mode.pixelSize`.
  init(
    width: Int, height: Int, mode: PixelMode, pixels: [UInt8], palette: [UInt8] = [], transparentColor: [UInt8] = [],
    orientation: Int = 1, notes: [String] = []
  ) {
    self.width = width
    self.height = height
    self.mode = mode
    self.pixels = pixels
    self.palette = palette
    self.transparentColor = transparentColor
    self.orientation = orientation
    self.notes = notes
  }

  /// The pixels in red, green, blue, as Pillow's `convert("RGB")`: alpha is dropped, not blended.
  public var rgb: [UInt8] { ImageCodecs.rgb(self) }

  /// The same picture with other pixels.
  func with(width: Int, height: Int, mode: PixelMode? = nil, pixels: [UInt8]) -> DecodedImage {
    DecodedImage(
      width: width, height: height, mode: mode ?? self.mode, pixels: pixels, palette: palette, notes: notes)
  }
}

/// How much a picture may ask for, and what is accepted of a damaged one.
public struct ImageDecodingOptions: Sendable {
  /// The most pixels; Pillow's limit, above which it speaks of a decompression bomb.
  public var maximumPixels = 178_956_970
  /// The longest side.
  public var maximumSide = 1 << 20
  /// Whether what is missing at the end of a JPEG or PNG file is made up, as Pillow does with LOAD_TRUNCATED_IMAGES.
  public var allowsTruncated = false

  /// Pillow's limits, and nothing made up.
  public init() {}

  /// Throws unless a picture of that size may be decoded.
  func check(width: Int, height: Int) throws(FileError) {
    guard width > 0, height > 0 else { throw FileError(.malformed, "a picture of \(width) × \(height) pixels") }
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    guard !overflow, pixels <= maximumPixels else {
      throw FileError(.malformed, "\(width) × \(height) pixels, allowed \(maximumPixels) in all")
    }
    guard max(width, height) <= maximumSide else {
      throw FileError(.malformed, "a side of \(max(width, height)) pixels, allowed \(maximumSide)")
    }
  }
}
