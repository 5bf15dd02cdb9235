public import Checkpoints

extension DecodedImage {
  /// The largest file that is read.
  static let maximumFileSize = 512 << 20

  /// Decodes a picture that is recognised by its content: JPEG, PNG, and the first frame of WebP.
  ///
  /// - Throws: for a picture that is damaged, of another format, or larger than `options` allow; nothing is allocated
  ///   for its pixels before.
  public init(
    decoding file: Bytes, name: String, options: ImageDecodingOptions = ImageDecodingOptions()
  ) throws(FileError) {
    do throws(FileError) {
      try self.init(file, options)
    } catch {
      throw error.located(file: name)
    }
  }

  private init(_ file: Bytes, _ options: ImageDecodingOptions) throws(FileError) {
    guard file.count > 0 else { throw FileError(.truncated, "empty file") }
    guard file.count <= Self.maximumFileSize else {
      throw FileError(.malformed, "\(file.count) bytes of picture, allowed \(Self.maximumFileSize)")
    }
    switch ImageFormat(head: try file.slice(0, min(file.count, 1024)).load()) {
    case .jpeg: self = try Self.jpeg(file, options)
    case .png: self = try Self.png(file, options)
    case .webp: self = try Self.webp(file, options)
    case .other(let name):
      throw FileError(.unsupported, "\(name) is not decoded", hint: "Save it as PNG, JPEG or WebP")
    case nil: throw FileError(.malformed, "not a picture: no format begins like this")
    }
  }

  private static func jpeg(_ file: Bytes, _ options: ImageDecodingOptions) throws(FileError) -> DecodedImage {
    let header = try JPEGHeader(file, options: options)
    let decoded = try ImageCodecs.jpeg(
      try file.load(), width: header.width, height: header.height, channels: header.components,
      allowsTruncated: options.allowsTruncated)
    return DecodedImage(
      width: header.width, height: header.height, mode: [1: .grey, 3: .rgb][header.components] ?? .cmyk,
      pixels: decoded.pixels, orientation: Orientation.read(exif: header.exif, xmp: header.xmp),
      notes: notes("JPEG", decoded.warning))
  }

  private static func notes(_ format: String, _ warning: String) -> [String] {
    warning.isEmpty ? [] : ["\(format): \(escaped(warning))"]
  }

  private static func png(_ file: Bytes, _ options: ImageDecodingOptions) throws(FileError) -> DecodedImage {
    let header = try PNGHeader(file, options: options)
    let decoded = try ImageCodecs.png(try file.load(), header, allowsTruncated: options.allowsTruncated)
    return DecodedImage(
      width: header.width, height: header.height, mode: header.mode, pixels: decoded.pixels,
      palette: decoded.palette, transparentColor: header.transparentColor(decoded.palette),
      orientation: Orientation.read(exif: header.exif, xmp: header.xmp),
      notes: notes("PNG", decoded.warning))
  }

  private static func webp(_ file: Bytes, _ options: ImageDecodingOptions) throws(FileError) -> DecodedImage {
    let bytes = try file.load()
    let header = try ImageCodecs.WebPHeader(bytes)
    try options.check(width: header.width, height: header.height)
    return DecodedImage(
      width: header.width, height: header.height, mode: header.hasAlpha ? .rgba : .rgb,
      pixels: try ImageCodecs.webp(bytes, header),
      orientation: Orientation.read(exif: header.exif, xmp: header.xmp))
  }
}
