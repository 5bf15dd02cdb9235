import Checkpoints

/// The protobuf file of a SentencePiece model, `spiece.model` or `tokenizer.model`: `formats/tokenizer.md`.
extension SentencePieceModel {
  /// Reads the bytes of a file.
  init(protobuf bytes: [UInt8]) throws(FileError) {
    self.init()
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: try readPiece(reader.message(field, "piece \(pieces.count)"), at: field.offset)
      case 2: try readTrainer(reader.message(field, "trainer_spec"))
      case 3: try readNormalizer(reader.message(field, "normalizer_spec"))
      default: break  // self-tests, and how text is made of pieces
      }
    }
  }

  private mutating func readPiece(_ message: ProtobufReader, at offset: Int) throws(FileError) {
    var reader = message
    let title = "piece \(pieces.count)"
    guard pieces.count < Limits.pieces else {
      throw FileError(.malformed, "more than \(Limits.pieces) pieces", offset: offset)
    }
    var piece = ""
    var score: Float = 0
    var kind = PieceKind.normal
    while let field = try reader.next() {
      switch field.number {
      case 1: piece = try reader.string(field, title)
      case 2: score = try reader.float(field, "score of \(title)")
      case 3:
        let number = try reader.integer(field, "type of \(title)")
        guard let known = Int32(exactly: number).flatMap(PieceKind.init) else {
          throw FileError(.malformed, "\(title) has type \(number), allowed 1 to 6", offset: field.offset)
        }
        kind = known
      default: break
      }
    }
    pieces.append(piece)
    scores.append(score)
    kinds.append(kind)
  }

  private mutating func readTrainer(_ message: ProtobufReader) throws(FileError) {
    var reader = message
    while let field = try reader.next() {
      switch field.number {
      case 3:
        let number = try reader.integer(field, "model_type")
        guard let known = Algorithm(rawValue: number) else {
          throw FileError(
            .unsupported, "SentencePiece model of type \(number), known are 1 (unigram) and 2 (byte pairs)",
            offset: field.offset)
        }
        algorithm = known
      case 24: treatsWhitespaceAsSuffix = try reader.bool(field, "treat_whitespace_as_suffix")
      case 35: hasByteFallback = try reader.bool(field, "byte_fallback")
      default: break  // how it was trained
      }
    }
  }

  private mutating func readNormalizer(_ message: ProtobufReader) throws(FileError) {
    var reader = message
    while let field = try reader.next() {
      switch field.number {
      case 2:
        let blob = try reader.data(field, "precompiled_charsmap")
        do throws(FileError) {
          characterMap = blob.isEmpty ? nil : try CharacterMap(blob)
        } catch {
          throw error.located(offset: field.offset)
        }
      case 3: addsDummyPrefix = try reader.bool(field, "add_dummy_prefix")
      case 4: removesExtraWhitespace = try reader.bool(field, "remove_extra_whitespaces")
      case 5: escapesWhitespace = try reader.bool(field, "escape_whitespaces")
      default: break
      }
    }
  }
}
