/// Finds the format of a file by its content, and says what a file that is none really is.
enum Detection {
  static func format(of file: InputFile) throws(FileError) -> any CheckpointFormat.Type {
    guard file.count > 0 else { throw FileError(.malformed, "empty file", offset: 0) }
    let head = try file.head(512)
    // A header's length may look like text: only what cannot be a length is read as text.
    if !Safetensors.looksLikeHeaderLength(head, fileSize: file.count), let error = impostor(head) { throw error }
    for format in allFormats where try format.matches(file) { return format }
    throw FileError(
      .unsupported, "not a model file: begins with \(head.prefix(8).map { hexadecimal($0) }.joined(separator: " "))",
      offset: 0, hint: "Formats read: \(allFormats.map { $0.name }.joined(separator: ", "))")
  }

  /// A note when the extension promises another format than the content is.
  static func extensionNote(_ path: String, format: any CheckpointFormat.Type) -> String? {
    guard let end = path.utf8.lastIndex(of: UInt8(ascii: ".")) else { return nil }
    let ending = path[path.index(after: end)...].lowercased()
    guard let promised = allFormats.first(where: { $0.fileExtensions.contains(ending) }), promised != format else {
      return nil
    }
    return "the name ends in .\(ending), the content is \(format.name)"
  }

  /// What is often saved in place of a model.
  private static func impostor(_ head: [UInt8]) -> FileError? {
    let text = String(decoding: head, as: UTF8.self)
    let start = text.drop { $0.isWhitespace || $0 == "\u{FEFF}" }.lowercased()
    if text.hasPrefix("version https://git-lfs.github.com/spec/") {
      let fields = text.split(separator: "\n").dropFirst().prefix(2).joined(separator: ", ")
      return FileError(
        .malformed, "git-LFS pointer, not the file it stands for (\(fields))", offset: 0, hint: "Run: git lfs pull")
    }
    if start.hasPrefix("<!doctype") || start.hasPrefix("<html") || start.hasPrefix("<?xml") {
      return FileError(.malformed, "looks like HTML, not a model", offset: 0, hint: "Download the file again")
    }
    if start.hasPrefix("{") {
      return FileError(.malformed, "looks like JSON, not a model", offset: 0, hint: "Give the weights' file")
    }
    return nil
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }
}
