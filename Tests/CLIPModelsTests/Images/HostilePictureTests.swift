import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// What decoding comes to.
private func failure(_ bytes: [UInt8], options: ImageDecodingOptions = ImageDecodingOptions()) -> FileError? {
  do throws(FileError) {
    let image = try DecodedImage(decoding: Bytes(bytes), name: "picture", options: options)
    #expect(image.pixels.count >= image.width * image.height)
    return nil
  } catch {
    #expect(error.file == "picture")
    return error
  }
}

private func bytes(_ name: String) throws -> [UInt8] { try fixtureBytes("images/\(name)") }

private func bigEndian(_ value: Int, _ count: Int) -> [UInt8] {
  (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}

/// A PNG whose header says that size; checksums are wrong, but sizes come first.
private func png(_ width: Int, _ height: Int, depth: UInt8 = 8, colorType: UInt8 = 2, data: Int = 1000) -> [UInt8] {
  func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
    bigEndian(data.count, 4) + Array(name.utf8) + data + [0, 0, 0, 0]
  }
  let header = bigEndian(width, 4) + bigEndian(height, 4) + [depth, colorType, 0, 0, 0]
  return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header)
    + chunk("IDAT", [UInt8](repeating: 7, count: data)) + chunk("IEND", [])
}

/// A JPEG up to its scan, and junk.
private func jpeg(
  _ width: Int, _ height: Int, marker: UInt8 = 0xC0, depth: UInt8 = 8, sampling: [UInt8] = [0x22, 0x11, 0x11]
) -> [UInt8] {
  let frame =
    [depth] + bigEndian(height, 2) + bigEndian(width, 2) + [UInt8(sampling.count)]
    + sampling.enumerated().flatMap { [UInt8($0), $1, 0] }
  return [0xFF, 0xD8, 0xFF, marker] + bigEndian(frame.count + 2, 2) + frame + [0xFF, 0xDA, 0, 2]
    + [UInt8](repeating: 0x55, count: 200)
}

@Test func sizesAreRefusedBeforeAnythingIsAllocated() {
  #expect(failure(png(60_000, 60_000))?.message == "60000 × 60000 pixels, allowed 178956970 in all")
  #expect(failure(png(60_000, 60_000))?.offset == 16)
  #expect(failure(png(4_000_000_000, 4_000_000_000))?.message.contains("allowed 178956970") == true)
  #expect(failure(jpeg(65_500, 65_500))?.message == "65500 × 65500 pixels, allowed 178956970 in all")
  #expect(failure(png(2_000_000, 1))?.message == "a side of 2000000 pixels, allowed 1048576")
  #expect(failure(png(0, 5))?.message == "a picture of 0 × 5 pixels")
  var options = ImageDecodingOptions()
  options.maximumPixels = 100
  #expect(failure(png(11, 10), options: options)?.message == "11 × 10 pixels, allowed 100 in all")
}

@Test func sizesThatTheBytesCannotHoldAreRefused() {
  let large = failure(png(13_000, 13_000))
  #expect(large?.kind == .truncated)
  #expect(
    large?.message == "13000 × 13000 pixels are 507000000 bytes, more than 1000 compressed ones hold")
  let blocks = failure(jpeg(13_000, 13_000))
  #expect(blocks?.kind == .truncated)
  #expect(blocks?.message.hasPrefix("13000 × 13000 pixels are 3962563 blocks") == true)
}

@Test(arguments: [
  (jpeg(8, 8, marker: 0xC3), "lossless JPEG is not decoded"),
  (jpeg(8, 8, marker: 0xC9), "arithmetic-coded JPEG is not decoded"),
  (jpeg(8, 8, marker: 0xCA), "arithmetic-coded JPEG is not decoded"),
  (jpeg(8, 8, marker: 0xC5), "hierarchical JPEG is not decoded"),
  (jpeg(8, 8, marker: 0xC1, depth: 12), "JPEG of 12 bits is not decoded"),
  (jpeg(8, 0), "JPEG that says its height after the scan is not decoded"),
  (jpeg(8, 8, sampling: [0x11, 0x11]), "JPEG of 2 components, allowed 1, 3 and 4"),
  (jpeg(8, 8, sampling: [0x51, 0x11, 0x11]), "sampling factors [(5, 1), (1, 1), (1, 1)], allowed 1 to 4"),
  ([0xFF, 0xD8, 0xFF, 0xD9], "the image ends before its first scan"),
  ([0xFF, 0xD8, 0xFF, 0xDA, 0, 2], "a scan before the frame header"),
  ([0xFF, 0xD8, 0xFF, 0xE0, 0, 1], "a segment of 1 bytes, at least 2 needed"),
  (png(8, 8, depth: 3), "colour type 2 of 3 bits, which PNG does not have"),
  (png(8, 8, colorType: 5), "colour type 5 of 8 bits, which PNG does not have"),
  ([], "empty file"),
  (Array("GIF89a".utf8), "GIF is not decoded"),
  (Array("\0\0\0\u{20}ftypavif".utf8), "AVIF is not decoded"),
  (Array("\0\0\0\u{20}ftypheic".utf8), "HEIC is not decoded"),
  (Array("II*\0".utf8), "TIFF is not decoded"),
  (Array("<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>".utf8), "SVG is not decoded"),
  (Array("<!DOCTYPE html>".utf8), "HTML is not decoded"),
  (Array("P6 1 1 255 abc".utf8), "Netpbm is not decoded"),
  (Array("version https://git-lfs.github.com/spec/v1\n".utf8), "git-LFS pointer is not decoded"),
  (Array("a picture".utf8), "not a picture: no format begins like this"),
])
func whatIsNotDecodedIsNamed(_ file: [UInt8], _ message: String) {
  #expect(failure(file)?.message == message)
}

/// A file cut anywhere is refused; what Pillow would make up needs an option.
@Test(arguments: ExpectedPicture.all)
func cutPicturesAreRefused(_ expected: ExpectedPicture) throws {
  let whole = try expected.bytes.load()
  // After a JPEG's end marker come bytes that nobody needs.
  guard !["jpeg-trailing.jpg", "jpeg-mpo.jpg"].contains(expected.name) else { return }
  let step = max(1, whole.count / 100)
  for length in Array(stride(from: 0, to: whole.count, by: step)) + [whole.count - 1] {
    #expect(failure(Array(whole[..<length])) != nil, "cut at \(length) of \(whole.count)")
  }
}

@Test(arguments: ExpectedPicture.document?["truncated"]?.object?.keys ?? [])
func cutPicturesAreCompletedAsByPillow(_ name: String) throws {
  let expected = try #require(ExpectedPicture.document?["truncated"]?[name])
  let file = Array(try bytes(name).prefix(expected["length"]?.integer ?? 0))
  #expect(failure(file)?.kind == .truncated)
  var options = ImageDecodingOptions()
  options.allowsTruncated = true
  let image = try DecodedImage(decoding: Bytes(file), name: name, options: options)
  #expect(try hash(image.rgb) == expected["rgb"]?.string)
}

/// Damage gives an error or a picture, never a signal.
@Test(arguments: ExpectedPicture.all)
func damagedPicturesDoNoHarm(_ expected: ExpectedPicture) throws {
  var random = SeededRandom(seed: 5)
  let whole = try expected.bytes.load()
  var options = ImageDecodingOptions()
  options.maximumPixels = 1 << 20
  for round in 0..<60 {
    var damaged = whole
    for _ in 0...(round / 20) {
      let position = Int.random(in: 0..<(round % 2 == 0 ? min(200, whole.count) : whole.count), using: &random)
      damaged[position] = UInt8.random(in: 0...255, using: &random)
    }
    options.allowsTruncated = round % 3 == 0
    _ = failure(damaged, options: options)
  }
}

@Test func checksumsOfPNGCountWhereTheyMatter() throws {
  let whole = try bytes("png-gamma.png")
  func flipped(in chunk: String) throws -> [UInt8] {
    var copy = whole
    let name = Array(chunk.utf8)
    let start = try #require(whole.indices.first { whole[$0...].starts(with: name) })
    let length = whole[(start - 4)..<start].reduce(0) { $0 << 8 | Int($1) }
    copy[start + 4 + length] ^= 1
    return copy
  }
  #expect(failure(try flipped(in: "IHDR"))?.message == "IHDR: CRC error")
  #expect(failure(try flipped(in: "IDAT"))?.kind == .malformed)
  let image = try DecodedImage(decoding: Bytes(try flipped(in: "gAMA")), name: "picture")
  #expect(image.notes == ["PNG: gAMA: CRC error"])
  #expect(image.pixels == (try DecodedImage(decoding: Bytes(whole), name: "picture")).pixels)
}

/// Pillow decodes it without a word; libjpeg makes up what it could not read.
@Test func whatLibjpegWarnsOfIsANote() throws {
  var damaged = try bytes("jpeg-444.jpg")
  let scan = try #require(damaged.indices.first { damaged[$0] == 0xFF && damaged[$0 + 1] == 0xDA })
  // A marker in the middle of the scan's data.
  let middle = (scan + damaged.count) / 2
  damaged.replaceSubrange(middle..<middle + 2, with: [0xFF, 0xD0])
  let image = try DecodedImage(decoding: Bytes(damaged), name: "picture")
  #expect(image.notes.count == 1 && image.notes[0].hasPrefix("JPEG: Corrupt JPEG data: "), "\(image.notes)")
}

@Test func compressedDataThatEndEarlyAreRefused() throws {
  let error = failure(try fixtureBytes("hostile/png-short.png"))
  #expect(error?.kind == .truncated)
  #expect(error?.message == "the compressed data end before the picture does")
}

@Test func scansWithoutEndAreRefused() throws {
  let whole = try bytes("jpeg-l-progressive.jpg")
  let scan = try #require(whole.indices.first { whole[$0...].starts(with: [0xFF, 0xDA]) })
  let next = try #require(
    whole.indices[(scan + 2)...].first { whole[$0] == 0xFF && whole[$0 + 1] != 0 })
  func file(repeating count: Int) -> [UInt8] {
    Array(whole[..<scan]) + (0..<count).flatMap { _ in whole[scan..<next] } + Array(whole[scan...])
  }
  #expect(failure(file(repeating: 501))?.message == "more than 500 scans")
  #expect(failure(file(repeating: 1)) == nil)
}
