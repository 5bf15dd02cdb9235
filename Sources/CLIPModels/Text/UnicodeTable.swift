/// What the libraries say of each Unicode scalar: Python's `str` and `unicodedata`, the `regex` module, and tokenizers.
///
/// They build on different versions of Unicode, and on others than Swift's; equal ids need their answers, not newer ones.
struct UnicodeTable: Sendable {
  static let standard = UnicodeTable(EmbeddedTables.unicode)

  /// The number of the block of each 128 scalars.
  private nonisolated(unsafe) let blockNumbers: UnsafePointer<UInt16>
  /// Blocks of 128 numbers of records.
  private nonisolated(unsafe) let blocks: UnsafePointer<UInt16>
  private nonisolated(unsafe) let records: UnsafePointer<ScalarProperties>
  /// Scalar, its first part, its second part or 0, and whether the parts compose to it again: 0 no, 1 yes, 2 yes but
  /// tokenizers does not know the scalar.
  nonisolated(unsafe) let decompositions: UnsafeBufferPointer<(UInt32, UInt32, UInt32, UInt32)>

  private init(_ table: UnsafeRawBufferPointer) {
    func count(_ index: Int) -> Int { Int(table.load(fromByteOffset: 4 * index, as: UInt32.self)) }
    func pointer<Element>(_ offset: Int, _: Element.Type) -> UnsafePointer<Element> {
      UnsafeRawPointer(table.baseAddress! + offset).assumingMemoryBound(to: Element.self)
    }
    let blocksStart = 16 + 2 * count(0)
    let recordsStart = blocksStart + 256 * count(1)
    let pairsStart = recordsStart + MemoryLayout<ScalarProperties>.stride * count(2)
    blockNumbers = pointer(16, UInt16.self)
    blocks = pointer(blocksStart, UInt16.self)
    records = pointer(recordsStart, ScalarProperties.self)
    decompositions = UnsafeBufferPointer(
      start: pointer(pairsStart, (UInt32, UInt32, UInt32, UInt32).self), count: count(3))
  }

  /// What is known of a scalar.
  subscript(scalar: UInt32) -> ScalarProperties {
    let block = Int(blockNumbers[Int(scalar >> 7)])
    return records[Int(blocks[block << 7 | Int(scalar & 127)])]
  }
}

/// One record of the table.
struct ScalarProperties {
  private let flags: UInt32
  private let lowerShift: Int32
  private let huggingFaceLowerShift: Int32

  /// What a scalar is to the patterns that cut text into pieces.
  enum PieceClass: UInt32 {
    /// In no piece: white space, and to Python U+0345, which its pattern excludes as a case of a letter.
    case none, letter, number, other
  }

  /// The class in the pattern of OpenAI and open_clip.
  var pieceClass: PieceClass { PieceClass(rawValue: flags & 3) ?? .none }
  /// The class in Hugging Face's pattern.
  var huggingFacePieceClass: PieceClass { PieceClass(rawValue: flags >> 2 & 3) ?? .none }
  /// Whether Python's `str.isspace` holds.
  var isSpace: Bool { flags & 1 << 4 != 0 }
  /// Whether a letter has case, to Python's choice of the small sigma.
  var isCased: Bool { flags & 1 << 5 != 0 }
  /// Whether that choice passes over it.
  var isCaseIgnorable: Bool { flags & 1 << 6 != 0 }
  /// Whether the scalar is another in NFC, or composes with one before it.
  var mayChangeInNFC: Bool { flags & 1 << 7 != 0 }
  /// The canonical combining class.
  var combiningClass: UInt8 { UInt8(truncatingIfNeeded: flags >> 8) }
  /// The canonical combining class in the Unicode of tokenizers, which knows fewer marks.
  var huggingFaceCombiningClass: UInt8 { flags & 1 << 16 != 0 ? 0 : combiningClass }

  /// The lower case of `scalar`, whose record this is, in Python.
  func lowercase(of scalar: UInt32) -> UInt32 { scalar &+ UInt32(bitPattern: lowerShift) }
  /// The lower case of `scalar`, whose record this is, in tokenizers.
  func huggingFaceLowercase(of scalar: UInt32) -> UInt32 { scalar &+ UInt32(bitPattern: huggingFaceLowerShift) }
}
