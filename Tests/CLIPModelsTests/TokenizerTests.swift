import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// The dialects of byte-pair tokenizers.
private let dialects = TokenizerDialect.allCases.filter { $0 != .sentencePiece }

/// A text whose ids the libraries gave.
private struct Case {
  let text: String
  let ids: [TokenizerDialect: [Int32]]

  /// `Fixtures/tokenizer/cases.json`; ids there end where the last repeats.
  static let all: [Case] = {
    let json = try? JSONValue(contentsOf: fixture("tokenizer/cases.json"))
    return (json?.array ?? []).map { entry in
      let ids = dialects.map { dialect in
        let ids = (entry[dialect.rawValue]?.array ?? []).compactMap { $0.integer.map(Int32.init) }
        return (dialect, ids + [Int32](repeating: ids.last ?? 0, count: 77 - ids.count))
      }
      return Case(text: entry["text"]?.string ?? "", ids: Dictionary(uniqueKeysWithValues: ids))
    }
  }()
}

@Test func thereAreCases() { #expect(Case.all.count > 150) }

@Test(arguments: dialects)
func idsAreTheLibraries(_ dialect: TokenizerDialect) throws {
  let tokenizer = try Tokenizer(standard: dialect)
  for example in Case.all {
    let found = try tokenizer.encode(example.text)
    #expect(found.ids == example.ids[dialect], "\(example.text.debugDescription)")
  }
}

/// The hashes that `tools/make_fixtures_tokenizer.py` took of the libraries' ids.
@Test(arguments: dialects)
func twentyThousandTextsHaveTheLibrariesIDs(_ dialect: TokenizerDialect) throws {
  let file = try Checkpoint.open(fixture("tokenizer/strings.npz"))
  let text = try #require(file["text"]).bytes.load()
  let lengths = try numbers(file["length"])
  let expected = try numbers(file[dialect.rawValue])
  #expect(lengths.count == 20_000 && expected.count == lengths.count)
  let tokenizer = try Tokenizer(standard: dialect)
  var position = 0
  for (length, hash) in zip(lengths, expected) {
    let string = String(decoding: text[position..<(position + Int(length))], as: UTF8.self)
    position += Int(length)
    let ids = try tokenizer.encode(string).ids
    #expect(try fingerprint(ids) == hash, "\(string.debugDescription)")
  }
}

private func numbers(_ tensor: Tensor?) throws -> [UInt32] {
  let bytes = try #require(tensor).bytes.load()
  return stride(from: 0, to: bytes.count, by: 4).map { index in
    (0..<4).reduce(0) { $0 | UInt32(bytes[index + $1]) << (8 * $1) }
  }
}

private func fingerprint(_ ids: [Int32]) throws -> UInt32 {
  let bytes = ids.flatMap { id in (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * $0)) } }
  let hash = SHA256.hex(try SHA256.hash(of: Bytes(bytes)))
  return UInt32(hash.prefix(8), radix: 16).map(\.byteSwapped) ?? 0
}
