/// A small picture for a page: a `data:` URI of a bitmap, which every browser shows.
struct Picture {
  /// The side in pixels.
  let side: Int
  private let pixels: [UInt8]

  /// Of a square of `side` × `side` × 3 levels; larger ones are shrunk by a whole factor to at most 112 pixels.
  init(side: Int, pixels: [UInt8]) {
    let factor = max(1, (side + 111) / 112)
    let small = side / factor
    self.side = small
    guard factor > 1 else {
      self.pixels = pixels
      return
    }
    var shrunk: [UInt8] = []
    shrunk.reserveCapacity(small * small * 3)
    for row in 0..<small {
      for column in 0..<small {
        for channel in 0..<3 {
          var sum = 0
          for y in row * factor..<(row + 1) * factor {
            for x in column * factor..<(column + 1) * factor { sum += Int(pixels[(y * side + x) * 3 + channel]) }
          }
          shrunk.append(UInt8(sum / (factor * factor)))
        }
      }
    }
    self.pixels = shrunk
  }

  /// `data:image/bmp;base64,…`
  var uri: String { "data:image/bmp;base64," + base64(bitmap) }

  /// A Windows bitmap of 24 bits: two headers, then rows from the lowest, blue first, each filled up to four bytes.
  private var bitmap: [UInt8] {
    let stride = (side * 3 + 3) / 4 * 4
    let size = 54 + stride * side
    func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    var bytes = Array("BM".utf8) + word(size) + word(0) + word(54)
    bytes +=
      word(40) + word(side) + word(side) + [1, 0, 24, 0] + word(0) + word(stride * side) + word(2835) + word(2835)
    bytes += word(0) + word(0)
    for row in (0..<side).reversed() {
      for column in 0..<side {
        let pixel = (row * side + column) * 3
        bytes += [pixels[pixel + 2], pixels[pixel + 1], pixels[pixel]]
      }
      bytes += [UInt8](repeating: 0, count: stride - side * 3)
    }
    return bytes
  }
}

/// Base64 with padding, as RFC 4648 has it.
func base64(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var result: [UInt8] = []
  result.reserveCapacity((bytes.count + 2) / 3 * 4)
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let count = min(3, bytes.count - start)
    let word = (0..<3).reduce(0) { $0 << 8 | ($1 < count ? Int(bytes[start + $1]) : 0) }
    for place in 0..<4 {
      result.append(place <= count ? alphabet[word >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
    }
  }
  return String(decoding: result, as: UTF8.self)
}
