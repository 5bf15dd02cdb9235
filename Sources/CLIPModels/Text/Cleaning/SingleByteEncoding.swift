/// An encoding of one byte a character, as ftfy uses it: `sloppy-` ones map the bytes that theirs leaves undefined as
/// Latin-1 does, and byte 1A to U+FFFD.
struct SingleByteEncoding: Sendable {
  let name: String
  private let decoding: [UInt32]
  private let encoding: [UInt32: UInt32]

  /// `scalars` are those of the bytes 1A and 80 to FF; the rest is ASCII.
  init(name: String, scalars: [UInt32]) {
    self.name = name
    var decoding = (0..<256).map { UInt32($0) }
    for (index, scalar) in scalars.enumerated() { decoding[index == 0 ? 0x1A : 0x7F + index] = scalar }
    self.decoding = decoding
    encoding = Dictionary(decoding.enumerated().map { ($1, UInt32($0)) }) { first, _ in first }
  }

  var isSloppy: Bool { name.utf8.starts(with: "sloppy".utf8) }

  /// The scalar of a byte.
  func decode(_ byte: UInt32) -> UInt32 { decoding[Int(byte)] }

  /// The bytes of the text, nil when one of its characters has none.
  func encode(_ text: [UInt32]) -> [UInt32]? {
    var bytes: [UInt32] = []
    bytes.reserveCapacity(text.count)
    for scalar in text {
      if scalar < 0x80, scalar != 0x1A {
        bytes.append(scalar)
      } else if let byte = encoding[scalar] {
        bytes.append(byte)
      } else {
        return nil
      }
    }
    return bytes
  }
}
