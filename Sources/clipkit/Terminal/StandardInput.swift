import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What is piped in.
enum StandardInput {
  /// How errors name it.
  static let name = "standard input"

  /// The lines, without their ends, or the strings of a JSON array when the input begins with `[` and ends with `]`.
  /// - Throws: `malformed` for more than `Limits.json` bytes, a line that is not UTF-8, or an array of other things.
  static func texts() throws(FileError) -> [String] {
    let bytes = try read(atMost: Limits.json)
    let isText = { (byte: UInt8) in ![0x20, 0x09, 0x0A, 0x0D].contains(byte) }
    if bytes.first(where: isText) == UInt8(ascii: "["), bytes.last(where: isText) == UInt8(ascii: "]") {
      return try array(bytes)
    }
    var lines: [String] = []
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      guard let text = String(validating: line, as: UTF8.self) else {
        throw FileError(.malformed, "line \(lines.count + 1) is not UTF-8", file: name)
      }
      lines.append(text)
    }
    if lines.last?.isEmpty == true { lines.removeLast() }
    return lines
  }

  private static func array(_ bytes: [UInt8]) throws(FileError) -> [String] {
    do throws(FileError) {
      var texts: [String] = []
      for entry in try JSONValue(parsing: bytes).array ?? [] {
        guard let text = entry.string else {
          throw FileError(.malformed, "entry \(texts.count + 1) of the array is not a string")
        }
        texts.append(text)
      }
      return texts
    } catch {
      throw error.located(file: name)
    }
  }

  /// Everything up to its end.
  /// - Throws: `usage` for a terminal, where nobody would know what is waited for; `malformed` when there are more than
  ///   `limit` bytes.
  static func read(atMost limit: Int) throws(FileError) -> [UInt8] {
    guard isatty(0) == 0 else {
      throw FileError(.usage, "is a terminal", file: name, hint: "Pipe a list into it")
    }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = Glibc.read(0, &buffer, buffer.count), count != 0 {
      guard count > 0 else {
        if errno == EINTR { continue }
        throw FileError(.io, "cannot read: \(String(cString: strerror(errno)))", file: name)
      }
      bytes += buffer[..<count]
      guard bytes.count <= limit else {
        throw FileError(.malformed, "more than \(limit) bytes", file: name)
      }
    }
    return bytes
  }
}
