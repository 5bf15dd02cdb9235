/// A file's name that says which part of how many it is: `model-00002-of-00003.safetensors`.
struct ShardName {
  /// What stands before the numbers, and behind them: `model`, `.safetensors`.
  let stem, ending: String
  /// Which part, from 1, and of how many.
  let number, count: Int

  init(stem: String, number: Int, count: Int, ending: String) {
    (self.stem, self.number, self.count, self.ending) = (stem, number, count, ending)
  }

  /// Nil for a name of another kind.
  init?(_ name: String) {
    let words = name.split(separator: "-", omittingEmptySubsequences: false)
    guard words.count > 3, words[words.count - 2] == "of", let last = words.last else { return nil }
    let digits = last.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(words[words.count - 3]), let count = Int(digits), number >= 0 else { return nil }
    self.init(
      stem: words.dropLast(3).joined(separator: "-"), number: number, count: count,
      ending: String(last.dropFirst(digits.count)))
  }

  /// The numbers and what follows: `-00002-of-00003.safetensors`.
  var suffix: String { "-\(Self.digits(number))-of-\(Self.digits(count))\(ending)" }

  private static func digits(_ value: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, 5 - text.count)) + text
  }

  /// Looks for files beside `parts`, all in `directory`, that are named as their like and are none of them.
  /// - Returns: a note for each that is of another set.
  /// - Throws: `mismatch` for one that claims to be of this set: it was forgotten, or is left from another model.
  static func strangers(beside parts: [String], in directory: String) throws(FileError) -> [String] {
    let known = Set(parts)
    let own = parts.compactMap { ShardName($0) }
    var notes: [String] = []
    // A directory that may be entered but not listed hides nothing that was named.
    for entry in (try? OutputDirectory.entries(of: directory)) ?? [] {
      guard !known.contains(entry), let found = ShardName(entry),
        let like = own.first(where: { $0.stem == found.stem && $0.ending == found.ending })
      else { continue }
      guard found.count != like.count else {
        throw FileError(
          .mismatch, "'\(escaped(entry))' lies beside the \(parts.count) parts and is none of them",
          hint: "Remove it, or get the model again: parts of two models may be mixed")
      }
      notes.append("'\(escaped(entry))' beside it is of another set of parts")
    }
    return notes
  }
}
