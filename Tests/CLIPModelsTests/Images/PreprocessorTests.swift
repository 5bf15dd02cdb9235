import CLIPModels
import Checkpoints
import TestSupport
import Testing

@Test func everyExpectedPictureIsThere() {
  #expect(ExpectedPicture.all.count >= 90)
  #expect(Pipeline.all.count >= 12)
}

/// Mode, size and colours are Pillow's.
@Test(arguments: ExpectedPicture.all)
func picturesAreDecodedAsByPillow(_ expected: ExpectedPicture) throws {
  let image = try DecodedImage(decoding: expected.bytes, name: expected.name)
  #expect(image.mode.rawValue == expected.json["mode"]?.string)
  #expect([image.width, image.height] == expected.json["size"]?.array?.compactMap(\.integer))
  #expect(try hash(image.rgb) == expected.json["rgb"]?.string)
  let orientation = expected.json["orientation"]?.integer ?? 0
  #expect(image.orientation == ((1...8).contains(orientation) ? orientation : 1))
}

/// Pixels after resize and crop, and numbers after normalisation, are the reference library's, bit for bit.
@Test(arguments: ExpectedPicture.all, Pipeline.all)
func picturesArePreparedAsByTheLibrary(_ expected: ExpectedPicture, _ pipeline: Pipeline) throws {
  let preprocessor = try pipeline.preprocessor()
  guard let hashes = expected.json["pipelines"]?[pipeline.name]?.array?.compactMap(\.string), hashes.count == 2 else {
    #expect(throws: FileError.self) { try preprocessor.prepare(expected.bytes, name: expected.name) }
    return
  }
  let image = try preprocessor.prepare(expected.bytes, name: expected.name)
  #expect(try hash(image.pixels) == hashes[0])
  let numbers = [Float](unsafeUninitializedCapacity: image.pixels.count) { buffer, count in
    image.normalized(into: buffer.baseAddress!)
    count = image.pixels.count
  }
  #expect(try hash(numbers.withUnsafeBytes { Array($0) }) == hashes[1])
}

/// The few that are stored in full: here a difference says where.
@Test func preparedPixelsAreThoseInFull() throws {
  let whole = try Checkpoint.open(fixture("expected/images.safetensors"))
  #expect(whole.names.count == 5)
  for name in whole.names {
    let words = name.split(separator: " ").map(String.init)
    let pipeline = try #require(Pipeline.all.first { $0.name == words[1] })
    let picture = try #require(ExpectedPicture.all.first { $0.name == words[0] })
    let image = try pipeline.preprocessor().prepare(picture.bytes, name: words[0])
    let expected = try #require(whole[name])
    #expect(expected.shape == [image.size, image.size, 3])
    #expect(try image.pixels == expected.bytes.load(), "\(name)")
  }
}
