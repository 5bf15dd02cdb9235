internal import CImages
import Checkpoints

/// The codecs and inner loops in C.
enum ImageCodecs {
  /// Pixels of a JPEG file whose size is known, and what libjpeg warns of.
  static func jpeg(
    _ file: [UInt8], width: Int, height: Int, channels: Int, allowsTruncated: Bool
  ) throws(FileError) -> (pixels: [UInt8], warning: String) {
    try pixels(width * height * channels, isZeroed: true) { pixels in
      file.withUnsafeBufferPointer {
        ci_decode_jpeg(
          $0.baseAddress!, $0.count, Int32(width), Int32(height), Int32(channels), allowsTruncated ? 1 : 0, pixels)
      }
    }
  }

  /// Pixels of a PNG file as Pillow's mode has them, a palette, and what libpng warns of.
  static func png(
    _ file: [UInt8], _ header: PNGHeader, allowsTruncated: Bool
  ) throws(FileError) -> (pixels: [UInt8], palette: [UInt8], warning: String) {
    let samples = [2: 3, 4: 2, 6: 4][header.colorType] ?? 1
    let count = header.width * header.height * samples
    var palette = [UInt8](repeating: 0, count: header.mode == .palette ? 768 : 0)
    // Other colour types leave it alone, but C wants an address.
    var unused: UInt8 = 0
    let decoded = try pixels(header.depth == 16 ? 2 * count : count, isZeroed: true) { pixels in
      file.withUnsafeBufferPointer { file in
        palette.withUnsafeMutableBufferPointer { palette in
          withUnsafeMutablePointer(to: &unused) { unused in
            ci_decode_png(
              file.baseAddress!, file.count, Int32(header.width), Int32(header.height), Int32(header.depth),
              Int32(header.colorType), allowsTruncated ? 1 : 0, pixels, palette.baseAddress ?? unused)
          }
        }
      }
    }
    var pixels = decoded.pixels
    switch (header.colorType, header.depth) {
    case (0, 2): scale(&pixels, by: 85)
    case (0, 4): scale(&pixels, by: 17)
    case (0, 16): pixels.withUnsafeMutableBufferPointer { ci_swap_16($0.baseAddress!, count) }
    case (4, 16):
      pixels = output(2 * count) { out in
        decoded.pixels.withUnsafeBufferPointer { ci_rgba_from_la16($0.baseAddress!, out, count / 2) }
      }
    case (_, 16):
      pixels = output(count) { out in
        decoded.pixels.withUnsafeBufferPointer { ci_high_bytes($0.baseAddress!, out, count) }
      }
    default: break
    }
    return (pixels, palette, decoded.warning)
  }

  private static func scale(_ pixels: inout [UInt8], by factor: UInt8) {
    for index in pixels.indices { pixels[index] &*= factor }
  }

  /// What a WebP file says of itself.
  struct WebPHeader {
    fileprivate var webp = ci_webp()
    let exif: [UInt8]
    let xmp: [UInt8]
    var width: Int { Int(webp.width) }
    var height: Int { Int(webp.height) }
    var hasAlpha: Bool { webp.has_alpha != 0 }

    init(_ file: [UInt8]) throws(FileError) {
      var webp = ci_webp()
      try check(file.withUnsafeBufferPointer { ci_inspect_webp($0.baseAddress!, $0.count, &webp) })
      self.webp = webp
      exif = Array(file.dropFirst(webp.exif_offset).prefix(webp.exif_size))
      xmp = Array(file.dropFirst(webp.xmp_offset).prefix(webp.xmp_size))
    }
  }

  /// Pixels of a WebP file's first frame.
  static func webp(_ file: [UInt8], _ header: WebPHeader) throws(FileError) -> [UInt8] {
    var webp = header.webp
    return try pixels(header.width * header.height * (header.hasAlpha ? 4 : 3)) { pixels in
      file.withUnsafeBufferPointer { ci_decode_webp($0.baseAddress!, $0.count, &webp, pixels) }
    }.pixels
  }

  private static func pixels(
    _ count: Int, isZeroed: Bool = false, _ decode: (UnsafeMutablePointer<UInt8>) -> ci_outcome
  ) throws(FileError) -> (pixels: [UInt8], warning: String) {
    var outcome = ci_outcome()
    let pixels = output(count) { out in
      if isZeroed { out.initialize(repeating: 0, count: count) }
      outcome = decode(out)
    }
    try check(outcome)
    return (pixels, text(outcome))
  }

  /// An array that `fill` fills.
  private static func output(_ count: Int, _ fill: (UnsafeMutablePointer<UInt8>) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: max(1, count)) { buffer, initialized in
      fill(buffer.baseAddress!)
      initialized = count
    }
  }

  private static func check(_ outcome: ci_outcome) throws(FileError) {
    let kind: FileError.Kind
    switch outcome.reason {
    case CI_DECODED: return
    case CI_TRUNCATED: kind = .truncated
    case CI_UNSUPPORTED: kind = .unsupported
    default: kind = .malformed
    }
    throw FileError(kind, text(outcome))
  }

  private static func text(_ outcome: ci_outcome) -> String {
    withUnsafeBytes(of: outcome.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}

// MARK: Modes and turning

extension ImageCodecs {
  /// The pixels in RGB, as Pillow's `convert("RGB")`.
  static func rgb(_ image: DecodedImage) -> [UInt8] {
    guard image.mode != .rgb else { return image.pixels }
    let count = image.width * image.height
    return output(3 * count) { out in
      image.pixels.withUnsafeBufferPointer { pixels in
        let pixels = pixels.baseAddress!
        switch image.mode {
        case .bilevel: ci_rgb_from_1(pixels, out, count)
        case .grey: ci_rgb_from_l(pixels, out, count)
        case .greyAlpha: ci_rgb_from_la(pixels, out, count)
        case .grey16: ci_rgb_from_i16(pixels, out, count)
        case .palette:
          image.palette.withUnsafeBufferPointer { ci_rgb_from_p(pixels, $0.baseAddress!, out, count) }
        case .rgba: ci_rgb_from_rgba(pixels, out, count)
        case .cmyk: ci_rgb_from_cmyk(pixels, out, count)
        case .rgb: break
        }
      }
    }
  }

  /// Pixels with a last sample of alpha, multiplied with it.
  static func premultiplied(_ pixels: [UInt8], channels: Int) -> [UInt8] {
    output(pixels.count) { out in
      pixels.withUnsafeBufferPointer { ci_premultiply($0.baseAddress!, out, $0.count / channels, Int32(channels)) }
    }
  }

  /// The way back.
  static func unpremultiplied(_ pixels: [UInt8], channels: Int) -> [UInt8] {
    output(pixels.count) { out in
      pixels.withUnsafeBufferPointer { ci_unpremultiply($0.baseAddress!, out, $0.count / channels, Int32(channels)) }
    }
  }

  /// RGB pixels where those of one colour are white.
  static func whitened(_ rgb: [UInt8], color: [UInt8]) -> [UInt8] {
    output(rgb.count) { out in
      rgb.withUnsafeBufferPointer { ci_whiten($0.baseAddress!, out, $0.count / 3, color[0], color[1], color[2]) }
    }
  }

  /// RGB pixels turned as EXIF's orientation wants it. From 5 on, width and height change places.
  static func oriented(_ rgb: [UInt8], width: Int, height: Int, orientation: Int) -> [UInt8] {
    output(rgb.count) { out in
      rgb.withUnsafeBufferPointer { ci_orient($0.baseAddress!, out, width, height, Int32(orientation)) }
    }
  }

  /// Normalised planes [3, n] from n RGB pixels, by a table of 256 values for each channel.
  static func normalize(_ rgb: [UInt8], table: [Float], into planes: UnsafeMutablePointer<Float>) {
    rgb.withUnsafeBufferPointer { rgb in
      table.withUnsafeBufferPointer { ci_normalize(rgb.baseAddress!, rgb.count / 3, $0.baseAddress!, planes) }
    }
  }
}

// MARK: Passes of a resize

extension ImageCodecs {
  /// The instruction sets that the passes know here: 0 is the reference, the last the fastest.
  static let levels = Int(ci_level_count())

  /// The rows `rows` of a picture, each with `weights.outputs` pixels afterwards.
  static func resizedRows(
    _ pixels: [UInt8], width: Int, rows: Range<Int>, mode: PixelMode, weights: ResizeWeights, level: Int = levels - 1
  ) -> [UInt8] {
    let size = mode.pixelSize
    return output(rows.count * weights.outputs * size) { out in
      pixels.withUnsafeBufferPointer { pixels in
        let start = pixels.baseAddress! + rows.lowerBound * width * size
        weights.withPointers { weights in
          if mode == .grey16 {
            ci_resize_rows_16(start, width * size, out, rows.count, weights)
          } else {
            ci_resize_rows(
              Int32(level), start, width * size, pixels.baseAddress! + pixels.count, out, rows.count, Int32(size),
              weights)
          }
        }
      }
    }
  }

  /// `weights.outputs` rows of `width` pixels.
  static func resizedColumns(
    _ pixels: [UInt8], width: Int, mode: PixelMode, weights: ResizeWeights, level: Int = levels - 1
  ) -> [UInt8] {
    let size = mode.pixelSize
    return output(weights.outputs * width * size) { out in
      pixels.withUnsafeBufferPointer { pixels in
        weights.withPointers { weights in
          if mode == .grey16 {
            ci_resize_columns_16(pixels.baseAddress!, out, width, weights)
          } else {
            ci_resize_columns(Int32(level), pixels.baseAddress!, out, width * size, weights)
          }
        }
      }
    }
  }
}

extension ResizeWeights {
  fileprivate func withPointers(_ body: (UnsafePointer<ci_weights>) -> Void) {
    starts.withUnsafeBufferPointer { starts in
      counts.withUnsafeBufferPointer { counts in
        fixed.withUnsafeBufferPointer { fixed in
          exact.withUnsafeBufferPointer { exact in
            var weights = ci_weights(
              outputs: outputs, taps: taps, starts: starts.baseAddress!, counts: counts.baseAddress!,
              fixed: fixed.baseAddress, exact: exact.baseAddress)
            body(&weights)
          }
        }
      }
    }
  }
}
