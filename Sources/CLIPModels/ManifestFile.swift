public import Checkpoints

/// A manifest that was saved: what `hash` printed.
public struct ManifestFile: Sendable {
  /// What a line says, by the tensor's name.
  private let lines: [String: String]
  private let modelHash: String?

  /// Reads a manifest; throws `malformed` with the line's number for a line that is none.
  public init(path: String) throws(FileError) {
    let file = try InputFile(path)
    guard file.count <= Limits.json else {
      throw FileError(.malformed, "\(file.count) bytes of manifest, allowed \(Limits.json)", file: path)
    }
    var lines: [String: String] = [:]
    var modelHash: String?
    let text = try Bytes(file).load()
    for (number, bytes) in text.split(separator: UInt8(ascii: "\n")).enumerated() {
      let line = String(decoding: bytes.filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
      let hash = line.prefix { $0 != " " }
      let fields = line.dropFirst(hash.count + 2).split(separator: " ", omittingEmptySubsequences: false)
      guard hash.count == 64, hash.allSatisfy(\.isHexDigit), fields.count == 1 || fields.count >= 3 else {
        throw FileError(.malformed, "line \(number + 1) is not 'SHA256  NAME TYPE [SHAPE]'", file: path)
      }
      if fields.count == 1 {
        modelHash = String(hash)
      } else {
        // A name may hold spaces; type and shape do not.
        lines[fields.dropLast(2).joined(separator: " ")] = line
      }
    }
    guard !lines.isEmpty else { throw FileError(.malformed, "no tensors in this manifest", file: path) }
    self.lines = lines
    self.modelHash = modelHash
  }

  /// A line without the name: type, shape and hash.
  private static func facts(_ line: String) -> String {
    let fields = line.split(separator: " ")
    return "\(fields.suffix(2).joined(separator: " ")) \(fields[0])"
  }

  /// One line for each tensor that differs, is missing or is new.
  public func differences(from manifest: Manifest) -> [String] {
    var result: [String] = []
    var rest = lines
    for entry in manifest.entries {
      let name = entry.printedName
      guard let line = rest.removeValue(forKey: name) else {
        result.append("\(name): not in the manifest")
        continue
      }
      if line != entry.line { result.append("\(name): found \(Self.facts(entry.line)), expected \(Self.facts(line))") }
    }
    result += rest.keys.sorted().map { "\(escaped($0)): not in the model" }
    if result.isEmpty, let modelHash, modelHash != manifest.modelHash {
      result.append("model: found \(manifest.modelHash), expected \(modelHash)")
    }
    return result
  }
}
