import Checkpoints
import TestSupport
import Testing

@testable import CLIPModels

/// Files that are no SentencePiece model, or lie about themselves.
struct SentencePieceDamageTests {
  // Protobuf by hand: a key is the field's number and its wire type.
  private func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(bytes.count)] + bytes }
  private func piece(_ text: String, _ score: Float = 0, type: UInt8 = 1) -> [UInt8] {
    let bits = score.bitPattern
    let scoreBytes = stride(from: 0, to: 32, by: 8).map { UInt8(truncatingIfNeeded: bits >> UInt32($0)) }
    return field(1, field(1, Array(text.utf8)) + [0x15] + scoreBytes + [0x18, type])
  }
  private func expect(_ message: String, _ bytes: [UInt8]) {
    expectFailure(message) { () throws(FileError) in
      _ = try SentencePieceProcessor(SentencePieceModel(protobuf: bytes))
    }
  }

  @Test func modelsThatSentencepieceRefuses() throws {
    let unknown = piece("<unk>", type: 2)
    _ = try SentencePieceProcessor(SentencePieceModel(protobuf: unknown + piece("a", -1)))
    expect("without pieces", [])
    expect("0 unknown pieces", piece("a"))
    expect("2 unknown pieces", unknown + piece("b", type: 2))
    expect("'a' is there twice", unknown + piece("a") + piece("a"))
    expect("piece 1 of 0 bytes", unknown + piece(""))
    expect("piece 1 of 1 bytes, allowed 1 to 1024 without zeros", unknown + piece("\0"))
    expect("has the score nan", unknown + piece("a", .nan))
    expect("has the score -inf", unknown + piece("a", -.infinity))
    expect("piece 1 has type 7", unknown + piece("a", type: 7))
    expect("is of type byte", unknown + piece("<0x41>", type: 6))
    expect(
      "1 pieces of bytes, a model of bytes needs 256", unknown + piece("<0x41>", type: 6) + field(2, [0x98, 2, 1]))
    expect("model of type 3", unknown + field(2, [0x18, 3]))
  }

  @Test func bytesThatAreNoProtobuf() {
    expect("field 1 of 5 bytes, 1 remain", [0x0A, 5, 0])
    expect("field 1 of 18446744073709551615 bytes", [0x0A] + [UInt8](repeating: 0xFF, count: 9) + [1])
    expect("more than 64 bits", [UInt8](repeating: 0xFF, count: 11))
    expect("does not end", [0x80])
    expect("field number 0", [0x02, 0])
    expect("wire type 3", [0x0B])
    expect("another wire type, expected bytes", [0x08, 1])
    expect("expected a 32-bit float", field(1, [0x10, 1]))
    expect("piece 0 is not valid UTF-8", field(1, field(1, [0xC0, 0x80])))
  }

  /// A character map of one block of 256 units: the root at 0 whose children are at 1 ^ byte.
  private func map(_ units: [Int: UInt32], _ texts: [UInt8] = [0x62, 0]) -> [UInt8] {
    var words = [UInt32](repeating: 0x8000_0000, count: 256)
    words[0] = 1 << 10
    for (index, unit) in units { words[index] = unit }
    return [0, 4, 0, 0] + words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) } }
      + texts
  }

  @Test func characterMapsThatLeaveThemselves() throws {
    func refuse(_ message: String, _ blob: [UInt8]) {
      expectFailure(message) { () throws(FileError) in _ = try CharacterMap(blob) }
    }
    // 'a' at 1 ^ 0x61 = 0x60, and its end one further: a becomes b.
    let valid = map([0x60: 1 << 10 | 0x161, 0x61: 0x8000_0000])
    #expect(try CharacterMap(valid).longestMatch([0x61], at: 0)?.replacement.elementsEqual([0x62]) == true)
    refuse("character map of 4 bytes", [0, 0, 0, 0])
    refuse("bytes of trie", [0, 8, 0, 0, 0])
    refuse("bytes of trie", [0xFF, 0xFF, 0xFF, 0xFF, 0])
    refuse("no UTF-8 that ends with a zero", map([:], [0x62]))
    refuse("no UTF-8 that ends with a zero", map([:], [0xFF, 0]))
    refuse("points outside", map([0x60: 0x1FFFFF << 10 | 0x61]))
    refuse("no replacement among its texts", map([0x60: 1 << 10 | 0x161, 0x61: 0x8000_0002]))
    refuse("no replacement among its texts", map([0x60: 1 << 10 | 0x161, 0x61: 0x8000_0001], [0xC3, 0xA9, 0]))
    // 'a' leads to where 'a' leads again: without end.
    refuse("never ends", map([0x60: 0x61 << 10 | 0x61]))
  }

  @Test func everyByteOfAModelMayBeAnother() throws {
    let bytes = try fixtureBytes("tokenizer/sentencepiece/siglip-bytes/spiece.model")
    var random = SeededRandom(seed: 7)
    for _ in 0..<60 {
      let length = Int.random(in: 0..<2 * bytes.count, using: &random)
      var damaged = Array(bytes.prefix(length))
      for _ in 0..<Int.random(in: 1...4, using: &random) where !damaged.isEmpty {
        damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      do throws(FileError) {
        let processor = try SentencePieceProcessor(SentencePieceModel(protobuf: damaged))
        _ = processor.encode(Array("a photo of [MASK] 日本 é".utf8))
      } catch {
        #expect(!error.message.isEmpty)
      }
    }
  }

  @Test func tokenizerFilesThatAreUnknown() {
    func refuse(_ message: String, _ json: String) {
      expectFailure(message) { () throws(FileError) in
        let json = try TokenizerJSON(Array(json.utf8))
        _ = (try json.normalizer(), try json.splitter(), try json.template(), try json.addedTokens())
        if case .bytePairs(let model) = json.model { _ = try TokenizersBytePairs(model) }
      }
    }
    let model = #""model":{"type":"Unigram","vocab":[["a",0]]}"#
    refuse("model of type 'WordPiece'", #"{"model":{"type":"WordPiece","vocab":{}}}"#)
    refuse("model with dropout", #"{"model":{"type":"BPE","dropout":0.1,"vocab":{},"merges":[]}}"#)
    refuse("no id of its own below 1", #"{"model":{"type":"BPE","vocab":{"a":1},"merges":[]}}"#)
    refuse("not two tokens", #"{"model":{"type":"BPE","vocab":{"a":0},"merges":["a a"]}}"#)
    refuse("merge 0 of 3 parts", #"{"model":{"type":"BPE","vocab":{"a":0},"merges":["a a a"]}}"#)
    refuse("piece 1 has no text", #"{"model":{"type":"Unigram","vocab":[["a"]]}}"#)
    refuse("piece 1 has no text", #"{"model":{"type":"Unigram","vocab":[["a",1e999]]}}"#)
    refuse("duplicate key 'model'", "{\(model),\(model)}")
    refuse("normalizer", #"{\#(model),"normalizer":{"type":"BertNormalizer"}}"#)
    refuse("not base64", #"{\#(model),"normalizer":{"type":"Precompiled","precompiled_charsmap":"?"}}"#)
    refuse("pre_tokenizer", #"{\#(model),"pre_tokenizer":{"type":"Digits"}}"#)
    refuse("post_processor", #"{\#(model),"post_processor":{"type":"BertProcessing"}}"#)
    refuse("has no content", #"{\#(model),"added_tokens":[{"id":0}]}"#)
  }
}
