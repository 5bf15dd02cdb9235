import Checkpoints

/// What stands before the first scan of a JPEG file.
struct JPEGHeader {
  private(set) var width = 0
  private(set) var height = 0
  /// 1 grey, 3 colours, 4 CMYK.
  private(set) var components = 0
  /// Without the name "Exif" before it; empty without one.
  private(set) var exif: [UInt8] = []
  private(set) var xmp: [UInt8] = []
  private var hasFrame = false

  /// Reads the marker segments; nothing but those that are kept is copied.
  /// - Throws: for what is not decoded, for damage, and for a size that the bytes cannot hold.
  init(_ file: Bytes, options: ImageDecodingOptions) throws(FileError) {
    var reader = ByteReader(file)
    try reader.skip(2, "start of the image")
    while true {
      let marker = try Self.nextMarker(&reader)
      switch marker {
      case 0x01, 0xD0...0xD8: continue
      case 0xD9: throw reader.error(.malformed, "the image ends before its first scan")
      case 0xDA:
        guard hasFrame else { throw reader.error(.malformed, "a scan before the frame header") }
        return
      default: try readSegment(marker, &reader, options: options)
      }
    }
  }

  private static func nextMarker(_ reader: inout ByteReader) throws(FileError) -> UInt8 {
    while true {
      var byte: UInt8 = try reader.integer("marker")
      guard byte == 0xFF else { continue }
      while byte == 0xFF { byte = try reader.integer("marker") }
      if byte != 0 { return byte }
    }
  }

  private mutating func readSegment(
    _ marker: UInt8, _ reader: inout ByteReader, options: ImageDecodingOptions
  ) throws(FileError) {
    let length = Int(UInt16(bigEndian: try reader.integer("length of a segment")))
    guard length >= 2 else { throw reader.error(.malformed, "a segment of \(length) bytes, at least 2 needed") }
    let start = reader.fileOffset
    switch marker {
    case 0xC4, 0xCC: try reader.skip(length - 2, "segment")
    case 0xC0...0xCF:
      let body = try reader.array(length - 2, "frame header")
      do throws(FileError) {
        try readFrame(marker, body, fileSize: reader.bytes.count, options: options)
      } catch {
        throw error.located(offset: start)
      }
    case 0xE1: keep(try reader.array(length - 2, "application segment"))
    default: try reader.skip(length - 2, "segment")
    }
  }

  /// Several EXIF segments are one after the other; of several XMP packets the last counts.
  private mutating func keep(_ segment: [UInt8]) {
    let exifName = Array("Exif\0\0".utf8)
    let xmpName = Array("http://ns.adobe.com/xap/1.0/\0".utf8)
    if segment.starts(with: exifName) { exif += segment.dropFirst(exifName.count) }
    if segment.starts(with: xmpName) { xmp = Array(segment.dropFirst(xmpName.count)) }
  }

  private mutating func readFrame(
    _ marker: UInt8, _ body: [UInt8], fileSize: Int, options: ImageDecodingOptions
  ) throws(FileError) {
    guard !hasFrame else { throw FileError(.malformed, "two frame headers") }
    let hint = "Save it again as a baseline or progressive JPEG of 8 bits"
    if let process = Self.unsupportedProcess(marker) {
      throw FileError(.unsupported, "\(process) JPEG is not decoded", hint: hint)
    }
    guard body.count >= 6, body.count == 6 + 3 * Int(body[5]) else {
      throw FileError(.malformed, "frame header of \(body.count) bytes")
    }
    guard body[0] == 8 else { throw FileError(.unsupported, "JPEG of \(body[0]) bits is not decoded", hint: hint) }
    (height, width) = (Int(body[1]) << 8 | Int(body[2]), Int(body[3]) << 8 | Int(body[4]))
    guard height > 0 else { throw FileError(.unsupported, "JPEG that says its height after the scan is not decoded") }
    try options.check(width: width, height: height)
    components = Int(body[5])
    guard [1, 3, 4].contains(components) else {
      throw FileError(.unsupported, "JPEG of \(components) components, allowed 1, 3 and 4")
    }
    hasFrame = true
    guard !options.allowsTruncated else { return }
    let sampling = (0..<components).map { body[7 + 3 * $0] }
    try checkBlocks(sampling, fileSize: fileSize)
  }

  /// Each block of 8 × 8 samples takes a bit at least: a small file that declares a large picture is not begun.
  private func checkBlocks(_ sampling: [UInt8], fileSize: Int) throws(FileError) {
    let factors = sampling.map { (Int($0 >> 4), Int($0 & 15)) }
    guard factors.allSatisfy({ (1...4).contains($0.0) && (1...4).contains($0.1) }) else {
      throw FileError(.malformed, "sampling factors \(factors), allowed 1 to 4")
    }
    let largest = (factors.map(\.0).max() ?? 1, factors.map(\.1).max() ?? 1)
    let blocks = factors.reduce(0) { sum, factor in
      let columns = (width * factor.0 + 8 * largest.0 - 1) / (8 * largest.0)
      let rows = (height * factor.1 + 8 * largest.1 - 1) / (8 * largest.1)
      return sum + columns * rows
    }
    guard blocks <= 8 * fileSize else {
      throw FileError(.truncated, "\(width) × \(height) pixels are \(blocks) blocks, more than \(fileSize) bytes hold")
    }
  }

  private static func unsupportedProcess(_ marker: UInt8) -> String? {
    switch marker {
    case 0xC0...0xC2: nil
    case 0xC3, 0xCB: "lossless"
    case 0xC9, 0xCA: "arithmetic-coded"
    case 0xC8: "JPEG-extension"
    default: "hierarchical"
    }
  }
}
