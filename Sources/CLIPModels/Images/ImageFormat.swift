/// The format of a picture, recognised by its first bytes.
enum ImageFormat: Equatable {
  case jpeg, png, webp
  /// A format that is not decoded, by its name.
  case other(String)

  /// Nil for what is no picture that we know by its head.
  init?(head: [UInt8]) {
    if head.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if head.starts(with: PNGHeader.signature) {
      self = .png
    } else if head.starts(with: Array("RIFF".utf8)), head.dropFirst(8).starts(with: Array("WEBP".utf8)) {
      self = .webp
    } else if head.dropFirst(4).starts(with: Array("ftyp".utf8)) {
      self = .other(Self.isoBrand(head))
    } else if let name = Self.named(head) {
      self = .other(name)
    } else {
      return nil
    }
  }

  private static func named(_ head: [UInt8]) -> String? {
    let magics: [(String, [UInt8])] = [
      ("GIF", Array("GIF8".utf8)), ("TIFF", [0x49, 0x49, 0x2A, 0]), ("TIFF", [0x4D, 0x4D, 0, 0x2A]),
      ("BigTIFF", [0x49, 0x49, 0x2B, 0]), ("BigTIFF", [0x4D, 0x4D, 0, 0x2B]), ("BMP", Array("BM".utf8)),
      ("JPEG XL", [0xFF, 0x0A]), ("JPEG XL", [0, 0, 0, 12, 0x4A, 0x58, 0x4C, 0x20]),
      ("JPEG 2000", [0, 0, 0, 12, 0x6A, 0x50, 0x20, 0x20]), ("JPEG 2000", [0xFF, 0x4F, 0xFF, 0x51]),
      ("Photoshop", Array("8BPS".utf8)), ("icon", [0, 0, 1, 0]), ("QOI", Array("qoif".utf8)),
      ("OpenEXR", [0x76, 0x2F, 0x31, 1]), ("PDF", Array("%PDF".utf8)),
    ]
    if let magic = magics.first(where: { head.starts(with: $0.1) }) { return magic.0 }
    if head.count > 2, head[0] == UInt8(ascii: "P"), (0x31...0x37).contains(head[1]), head[2] <= 0x20 {
      return "Netpbm"
    }
    let text = String(decoding: head, as: UTF8.self).lowercased()
    if text.contains("<svg") { return "SVG" }
    if text.contains("<!doctype html") || text.contains("<html") { return "HTML" }
    return text.hasPrefix("version https://git-lfs") ? "git-LFS pointer" : nil
  }

  /// The name for the major brand of an ISO media file.
  private static func isoBrand(_ head: [UInt8]) -> String {
    let brand = String(decoding: head.dropFirst(8).prefix(4), as: UTF8.self)
    if ["avif", "avis"].contains(brand) { return "AVIF" }
    return ["heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1"].contains(brand) ? "HEIC" : "ISO media"
  }
}
