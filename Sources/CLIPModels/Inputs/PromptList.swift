public import Checkpoints

/// Prompts to encode, from lines of text or a JSON array of strings: `formats/embeddings.md`, "Prompts".
public struct PromptList: Sendable, Equatable {
  /// The prompts, in order.
  public let prompts: [String]

  /// Prompts as they are.
  /// - Throws: `malformed` for one that is too long.
  public init(_ prompts: [String]) throws(FileError) {
    for (index, prompt) in prompts.enumerated() where prompt.utf8.count > Limits.prompt {
      throw FileError(.malformed, "prompt \(index + 1) has \(prompt.utf8.count) bytes, allowed \(Limits.prompt)")
    }
    self.prompts = prompts
  }

  /// Reads a file; throws `missing` when it is not there, and what `init(parsing:)` says of its contents.
  public init(contentsOf path: String) throws(FileError) {
    let file = try InputFile(path)
    do throws(FileError) {
      guard file.count <= Limits.list else {
        throw FileError(.malformed, "\(file.count) bytes of prompts, allowed \(Limits.list)")
      }
      try self.init(parsing: Bytes(file).load())
    } catch {
      throw error.located(file: path)
    }
  }

  /// Reads lines, or an array when the text begins with `[` and ends with `]`.
  /// - Throws: `malformed` where a prompt is not one, with its line or number; `truncated` when there is none.
  public init(parsing bytes: [UInt8]) throws(FileError) {
    prompts =
      try Self.isArray(bytes) ? Self.array(bytes) : TextLines.split(bytes, what: "a prompt", limit: Limits.prompt)
    guard !prompts.isEmpty else { throw FileError(.truncated, "no prompts") }
  }

  /// How many prompts are the same as one before them.
  public var duplicates: Int { prompts.count - Set(prompts).count }

  private static func isArray(_ bytes: [UInt8]) -> Bool {
    let isText = { (byte: UInt8) in ![0x20, 0x09, 0x0A, 0x0D].contains(byte) }
    let start = bytes.starts(with: TextLines.byteOrderMark) ? TextLines.byteOrderMark.count : 0
    return bytes[start...].first(where: isText) == UInt8(ascii: "[") && bytes.last(where: isText) == UInt8(ascii: "]")
  }

  private static func array(_ bytes: [UInt8]) throws(FileError) -> [String] {
    guard bytes.count <= Limits.json else {
      throw FileError(.malformed, "\(bytes.count) bytes of JSON, allowed \(Limits.json)")
    }
    let start = bytes.starts(with: TextLines.byteOrderMark) ? TextLines.byteOrderMark.count : 0
    var reader = JSONReader(start == 0 ? bytes : Array(bytes[start...]), base: start)
    var prompts: [String] = []
    try reader.array { (reader) throws(FileError) in
      guard try reader.next() == UInt8(ascii: "\"") else {
        throw reader.error("prompt \(prompts.count + 1) is not a string")
      }
      let offset = reader.offset
      let prompt = try reader.string()
      guard prompt.utf8.count <= Limits.prompt else {
        throw reader.error(
          "prompt \(prompts.count + 1) has \(prompt.utf8.count) bytes, allowed \(Limits.prompt)", at: offset)
      }
      guard !prompt.utf8.contains(0) else { throw reader.error("prompt \(prompts.count + 1) contains NUL", at: offset) }
      prompts.append(prompt)
    }
    try reader.end()
    return prompts
  }
}
