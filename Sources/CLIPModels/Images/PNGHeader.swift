import Checkpoints

/// What the chunks of a PNG file say before any is inflated.
struct PNGHeader {
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  private(set) var width = 0
  private(set) var height = 0
  /// Bits of a sample.
  private(set) var depth = 0
  /// PNG's number: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA.
  private(set) var colorType = 0
  private(set) var exif: [UInt8] = []
  private(set) var xmp: [UInt8] = []
  private var transparency: [UInt8] = []
  /// Bytes of all IDAT chunks.
  private var compressedSize = 0

  /// Reads the list of chunks; checksums are libpng's matter.
  init(_ file: Bytes, options: ImageDecodingOptions) throws(FileError) {
    var reader = ByteReader(file)
    try reader.skip(Self.signature.count, "signature")
    try readHeader(&reader, options: options)
    do throws(FileError) {
      while try readChunk(&reader) {}
    } catch  where error.kind == .truncated && options.allowsTruncated {
      return
    }
    guard !options.allowsTruncated else { return }
    // No byte of a deflate stream stands for more than 1032 bytes.
    let size = height * ((width * Self.samples[colorType, default: 1] * depth + 7) / 8)
    guard size / 1032 <= compressedSize else {
      throw FileError(
        .truncated, "\(width) × \(height) pixels are \(size) bytes, more than \(compressedSize) compressed ones hold")
    }
  }

  private static let samples = [0: 1, 2: 3, 3: 1, 4: 2, 6: 4]
  private static let depths = [0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]]

  private mutating func readHeader(_ reader: inout ByteReader, options: ImageDecodingOptions) throws(FileError) {
    let length = UInt32(bigEndian: try reader.integer("length of the header"))
    let type = try reader.array(4, "type of the header")
    guard length == 13, type == Array("IHDR".utf8) else { throw reader.error(.malformed, "no header first") }
    width = Int(UInt32(bigEndian: try reader.integer("width")))
    height = Int(UInt32(bigEndian: try reader.integer("height")))
    depth = Int(try reader.integer("depth", as: UInt8.self))
    colorType = Int(try reader.integer("colour type", as: UInt8.self))
    guard Self.depths[colorType]?.contains(depth) == true else {
      throw reader.error(.malformed, "colour type \(colorType) of \(depth) bits, which PNG does not have")
    }
    do throws(FileError) { try options.check(width: width, height: height) } catch { throw error.located(offset: 16) }
    try reader.skip(7, "end of the header")
  }

  /// Reads one chunk; false when it was the last.
  private mutating func readChunk(_ reader: inout ByteReader) throws(FileError) -> Bool {
    let start = reader.fileOffset
    let length = Int(UInt32(bigEndian: try reader.integer("length of a chunk")))
    let type = String(decoding: try reader.array(4, "type of a chunk"), as: UTF8.self)
    do throws(FileError) {
      try reader.require(length + 4, for: "chunk \(escaped(type))")
    } catch {
      throw error.located(offset: start)
    }
    switch type {
    case "IDAT":
      compressedSize += length
      try reader.skip(length, "image data")
    case "eXIf": exif = try reader.array(length, "EXIF")
    case "tRNS": transparency = try reader.array(length, "transparency")
    case "iTXt": keep(try reader.array(length, "text"))
    default: try reader.skip(length, "chunk")
    }
    try reader.skip(4, "checksum")
    return type != "IEND"
  }

  /// Keeps an XMP packet that is not compressed.
  private mutating func keep(_ text: [UInt8]) {
    let name = Array("XML:com.adobe.xmp\0\0".utf8)
    if text.starts(with: name) { xmp = text }
  }

  /// The colour that tRNS names, in the words of Pillow's `convert("RGB")`, which does not scale samples. A palette has
  /// one if a single entry is clear and the others are opaque.
  func transparentColor(_ palette: [UInt8]) -> [UInt8] {
    func sample(_ index: Int) -> Int { Int(transparency[2 * index]) << 8 | Int(transparency[2 * index + 1]) }
    switch mode {
    case .bilevel where transparency.count >= 2: return [sample(0) > 0 ? 255 : 0, 0, 0]
    case .grey16 where transparency.count >= 2: return [UInt8(sample(0) & 255), 0, 0]
    case .grey where transparency.count >= 2: return [UInt8](repeating: UInt8(clamping: sample(0)), count: 3)
    case .rgb where transparency.count >= 6: return (0..<3).map { UInt8(sample($0) & 255) }
    case .palette:
      guard let clear = transparency.firstIndex(where: { $0 < 255 }), clear < 256, transparency[clear] == 0,
        transparency[(clear + 1)...].allSatisfy({ $0 == 255 })
      else { return [] }
      return Array(palette[(3 * clear)..<(3 * clear + 3)])
    default: return []
    }
  }

  /// The mode that Pillow gives these pixels.
  var mode: PixelMode {
    switch (colorType, depth) {
    case (0, 1): .bilevel
    case (0, 16): .grey16
    case (0, _): .grey
    case (2, _): .rgb
    case (3, _): .palette
    case (4, 8): .greyAlpha
    default: .rgba
    }
  }
}
