import Checkpoints
import TestSupport
import Testing

@testable import CLIPModels

/// Against the ids that transformers and open_clip made, `tools/make_fixtures_sentencepiece.py`.
struct SentencePieceTests {
  static let folder = fixture("tokenizer/sentencepiece")
  static let kinds = ["siglip", "siglip-bytes", "t5", "backend", "gemma", "siglip2"]

  static func tokenizer(_ kind: String, folder: String = folder) throws -> SentencePieceTokenizer {
    let directory = "\(folder)/\(kind)"
    let isOpenCLIP = FileIdentity(path: "\(directory)/open_clip_config.json") != nil
    let files = try #require(try SentencePieceFiles(directory: directory, isOpenCLIP: isOpenCLIP))
    return try SentencePieceTokenizer(files, contextLength: 64, vocabularySize: 4096)
  }

  @Test(arguments: kinds)
  func idsAreThoseOfTheLibraries(_ kind: String) throws {
    let tokenizer = try Self.tokenizer(kind)
    let column = try #require(Self.kinds.firstIndex(of: kind)) + 1
    let lines = try Bytes(InputFile("\(Self.folder)/expected.jsonl")).load().split(separator: 0x0A)
    #expect(lines.count == 450)
    for line in lines {
      let row = try #require(JSONValue(parsing: Array(line)).array)
      let text = try #require(row[0].string)
      let expected = try #require(row[column].array)
      let ids = expected.compactMap { $0.integer.map { Int32($0) } }
      let found = try tokenizer.encode(text)
      #expect(Array(found.realIDs) == ids, "\(kind): \(text.debugDescription)")
      // A null behind the ids says that the padding is in front.
      #expect(found.start == (expected.last == .null ? 64 - found.count : 0))
      let padding: Int32 = kind.hasPrefix("gemma") || kind.hasPrefix("siglip2") ? 0 : 1
      let rest = expected.last == .null ? found.ids.dropLast(found.count) : found.ids.dropFirst(found.count)
      #expect(found.ids.count == 64 && rest.allSatisfy { $0 == padding })
    }
  }

  @Test func explanationsHaveTheSameIDs() throws {
    let text = "A  <b>Photo</b> of 日本 \u{1F600}"
    for kind in Self.kinds {
      let tokenizer = try Self.tokenizer(kind)
      let explanation = try tokenizer.explain(text)
      let sequence = try tokenizer.encode(text)
      #expect(explanation.sequence == sequence)
      #expect(explanation.tokenCount + 1 == sequence.count)
      #expect(!explanation.steps.isEmpty)
    }
  }

  /// In one word and in many: ten times the length takes about ten times as long, not a hundred times.
  @Test func longTextsTakeTimeInProportion() throws {
    let tokenizer = try Self.tokenizer("siglip-bytes")
    func time(_ text: String) throws -> Double {
      let start = ContinuousClock.now
      let sequence = try tokenizer.encode(text)
      #expect(sequence.isTruncated)
      return (ContinuousClock.now - start) / .seconds(1)
    }
    for unit in ["a", "photo of 日本 "] {
      let short = try time(String(repeating: unit, count: 20_000 / unit.utf8.count))
      let long = try time(String(repeating: unit, count: 200_000 / unit.utf8.count))
      #expect(long < 40 * short + 1)
    }
  }
}
