import Checkpoints

/// What a `spiece.model` states: the pieces, how text is normalised, and how it is cut into pieces.
struct SentencePieceModel: Sendable, Equatable {
  /// How a text is cut into pieces.
  enum Algorithm: Int64, Sendable {
    case unigram = 1
    case bytePairs = 2
  }

  /// What a piece is for; the numbers are those of the file, and of llama.cpp's token types.
  enum PieceKind: Int32, Sendable {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6

    /// Whether a part of a text can be this piece, or a byte-pair merge lead to it.
    var isInText: Bool { self == .normal || self == .userDefined || self == .unused }
  }

  var algorithm = Algorithm.unigram
  /// In the order of their ids.
  var pieces: [String] = []
  var scores: [Float] = []
  var kinds: [PieceKind] = []
  /// Whether a character that is no piece becomes the pieces of its bytes.
  var hasByteFallback = false
  var characterMap: CharacterMap?
  /// Whether a space is put before the text, or behind it where spaces end words.
  var addsDummyPrefix = true
  var removesExtraWhitespace = true
  /// Whether spaces become U+2581.
  var escapesWhitespace = true
  var treatsWhitespaceAsSuffix = false

  /// The id of the one unknown piece. `check()` has seen to it that there is one.
  var unknownID: Int32 { Int32(kinds.firstIndex(of: .unknown) ?? 0) }

  /// The pieces of single bytes, by byte.
  func byteIDs() -> [Int32]? {
    guard hasByteFallback else { return nil }
    var ids = [Int32](repeating: 0, count: 256)
    for (id, kind) in kinds.enumerated() where kind == .byte {
      if let byte = Self.byte(of: pieces[id]) { ids[Int(byte)] = Int32(id) }
    }
    return ids
  }

  /// The byte that a piece `<0x41>` stands for.
  static func byte(of piece: String) -> UInt8? {
    guard piece.utf8.count == 6, piece.hasPrefix("<0x"), piece.hasSuffix(">") else { return nil }
    let digits = piece.dropFirst(3).dropLast()
    // sentencepiece writes upper case; lower case is an ordinary text.
    return digits.utf8.contains { (0x61...0x7A).contains($0) } ? nil : UInt8(digits, radix: 16)
  }

  /// What sentencepiece refuses: duplicates, empty pieces, no or two unknowns, bytes missing, scores that are no
  /// numbers. The trie finds duplicates.
  func check(_ trie: PieceTrie) throws(FileError) {
    guard !pieces.isEmpty else { throw FileError(.malformed, "a SentencePiece model without pieces") }
    var unknowns = 0
    var bytes: Set<UInt8> = []
    for (id, piece) in pieces.enumerated() {
      let title = { "piece \(id) '\(escaped(piece))'" }
      guard !piece.isEmpty, piece.utf8.count <= Limits.pieceBytes, !piece.utf8.contains(0) else {
        throw FileError(
          .malformed, "piece \(id) of \(piece.utf8.count) bytes, allowed 1 to \(Limits.pieceBytes) without zeros")
      }
      guard scores[id].isFinite else { throw FileError(.malformed, "\(title()) has the score \(scores[id])") }
      guard trie.id(of: piece.utf8) == Int32(id) else { throw FileError(.malformed, "\(title()) is there twice") }
      switch kinds[id] {
      case .unknown: unknowns += 1
      case .byte:
        guard hasByteFallback, let byte = Self.byte(of: piece) else {
          throw FileError(.malformed, "\(title()) is of type byte, allowed <0x00> to <0xFF> in models of bytes")
        }
        bytes.insert(byte)
      default: break
      }
    }
    guard unknowns == 1 else { throw FileError(.malformed, "\(unknowns) unknown pieces, expected 1") }
    guard !hasByteFallback || bytes.count == 256 else {
      throw FileError(.malformed, "\(bytes.count) pieces of bytes, a model of bytes needs 256")
    }
  }
}
