/// How a picture is to be turned: EXIF's tag, or XMP's where EXIF has none.
enum Orientation {
  /// 1 to 8; 1 when nothing says otherwise, or when what says so is damaged.
  static func read(exif: [UInt8], xmp: [UInt8]) -> Int {
    let value = tag(exif) ?? attribute(xmp) ?? 1
    return (1...8).contains(value) ? value : 1
  }

  /// Tag 274 of the first directory of a TIFF structure.
  private static func tag(_ exif: [UInt8]) -> Int? {
    var bytes = exif[...]
    let name = Array("Exif\0\0".utf8)
    while bytes.starts(with: name) { bytes = bytes.dropFirst(name.count) }
    let tiff = Array(bytes)
    let isLittle = tiff.starts(with: [0x49, 0x49, 0x2A, 0])
    guard isLittle || tiff.starts(with: [0x4D, 0x4D, 0, 0x2A]) else { return nil }

    func integer(_ offset: Int, _ size: Int) -> Int? {
      guard offset >= 0, offset <= tiff.count - size else { return nil }
      let digits = tiff[offset..<(offset + size)]
      return (isLittle ? Array(digits.reversed()) : Array(digits)).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = integer(4, 4), let count = integer(directory, 2) else { return nil }
    for index in 0..<count {
      let entry = directory + 2 + 12 * index
      guard let id = integer(entry, 2), let type = integer(entry + 2, 2) else { return nil }
      if id == 274, integer(entry + 4, 4) == 1, let size = [1: 1, 3: 2, 4: 4][type] {
        return integer(entry + 8, size)
      }
    }
    return nil
  }

  /// The first `tiff:Orientation="N` or `tiff:Orientation>N`.
  private static func attribute(_ xmp: [UInt8]) -> Int? {
    let name = Array("tiff:Orientation".utf8)
    var rest = xmp[...]
    while let start = rest.firstIndex(of: name[0]) {
      rest = rest[start...]
      if rest.starts(with: name) {
        let value = rest.dropFirst(name.count)
        let digits = value.starts(with: Array("=\"".utf8)) ? value.dropFirst(2) : value.dropFirst(1)
        let isValue = value.first == UInt8(ascii: ">") || value.starts(with: Array("=\"".utf8))
        if isValue, let digit = digits.first, (0x30...0x39).contains(digit) { return Int(digit) - 0x30 }
      }
      rest = rest.dropFirst()
    }
    return nil
  }
}
