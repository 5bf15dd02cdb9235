import CLIPModels
import Checkpoints

/// A picture: decoded within small limits, and prepared in the way that its size picks.
struct FuzzPicture {
  private let file: [UInt8]

  /// Half of the PNG files get right checksums: mutation alone never finds them.
  init(_ input: [UInt8]) { file = input.count % 2 == 0 ? Self.checksummed(input) : input }

  func run() throws(FileError) {
    var options = ImageDecodingOptions()
    options.maximumPixels = 1 << 20
    options.maximumSide = 1 << 14
    options.allowsTruncated = file.count % 3 == 0
    let dialects = PreprocessingDialect.allCases
    let dialect = dialects[file.count % dialects.count]
    let mode = ["shortest", "longest", "squash"][file.count / 3 % 3]
    let filter = ResizeFilter.allCases[file.count / 9 % ResizeFilter.allCases.count]
    var config = ModelConfig(family: .clip)
    config.add(
      [
        .visionWidth: .integer(64), .visionImageSize: .integer(17), .imageMean: .numbers([0.5, 0.5, 0.5]),
        .imageStd: .numbers([0.5, 0.5, 0.5]), .imageInterpolation: .text(filter.rawValue),
        .imageResizeMode: .text(mode),
      ], from: .assumed("fuzzing"))
    let preprocessor = try Preprocessor(config, dialect: dialect, options: options)
    let image = try preprocessor.prepare(Bytes(file), name: "input")
    precondition(image.pixels.count == 17 * 17 * 3)
  }

  private static func checksummed(_ input: [UInt8]) -> [UInt8] {
    guard input.starts(with: [0x89, 0x50, 0x4E, 0x47]) else { return input }
    var file = input
    var offset = 8
    while offset + 12 <= file.count {
      let length = file[offset..<(offset + 4)].reduce(0) { $0 << 8 | Int($1) }
      guard length <= file.count - offset - 12 else { break }
      let sum = crc32(file[(offset + 4)..<(offset + 8 + length)])
      for byte in 0..<4 { file[offset + 8 + length + byte] = UInt8(truncatingIfNeeded: sum >> UInt32(24 - 8 * byte)) }
      offset += 12 + length
    }
    return file
  }

  private static func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(UInt32.max) { sum, byte in
      (0..<8).reduce(sum ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
  }
}
