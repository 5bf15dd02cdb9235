/// The one error that reading, writing and checking files throws.
///
/// It says what was found and what was allowed, and where: the file, the byte offset and the tensor, as far as they
/// are known. `description` is one line, fit for a terminal: control characters are escaped.
public struct FileError: Error, Sendable, Equatable {
  /// What went wrong; each kind has one exit code in the command line.
  public enum Kind: String, Sendable {
    /// The bytes end before the value does.
    case truncated
    /// The bytes break a rule of the format.
    case malformed
    /// A valid file that uses something clipkit does not read or write.
    case unsupported
    /// Two things that must agree do not.
    case mismatch
    /// A file, a shard or a tensor is not there.
    case missing
    /// The request cannot be meant: two candidates to choose from, an output that is the input.
    case usage
    /// The output cannot be created, or is already there.
    case cannotCreate
    /// The operating system denies access.
    case permission
    /// The operating system failed to read or write.
    case io
  }

  /// What went wrong.
  public var kind: Kind
  /// What was found and what was allowed, without file, offset and tensor.
  public var message: String
  /// The file, as the user named it.
  public var file: String?
  /// The byte offset in `file`.
  public var offset: Int?
  /// The name of the tensor.
  public var tensor: String?
  /// What the user can do about it.
  public var hint: String?

  /// Creates an error; `file` is usually filled in by the reader that knows it.
  public init(
    _ kind: Kind, _ message: String, file: String? = nil, offset: Int? = nil, tensor: String? = nil,
    hint: String? = nil
  ) {
    self.kind = kind
    self.message = message
    self.file = file
    self.offset = offset
    self.tensor = tensor
    self.hint = hint
  }

  /// The same error with the file, offset and tensor filled in where they are still unknown.
  public func located(file: String? = nil, offset: Int? = nil, tensor: String? = nil) -> FileError {
    var copy = self
    copy.file = copy.file ?? file
    copy.offset = copy.offset ?? offset
    copy.tensor = copy.tensor ?? tensor
    return copy
  }
}

extension FileError {
  /// The same error of a file that the user knows by another name.
  func named(_ file: String) -> FileError {
    var copy = self
    copy.file = file
    return copy
  }
}

extension FileError: CustomStringConvertible {
  /// One line: `FILE: offset N: tensor 'T': message. Hint.`
  public var description: String {
    var parts: [String] = []
    if let file { parts.append(file.isEmpty ? "''" : escaped(file, limit: 4096)) }
    if let offset { parts.append("offset \(offset)") }
    if let tensor { parts.append("tensor '\(escaped(tensor))'") }
    parts.append(escaped(message, limit: 1000))
    let line = parts.joined(separator: ": ")
    guard let hint else { return line }
    return "\(line). \(escaped(hint, limit: 1000))"
  }
}

/// `text` with control, format and bidirectional characters written as `\u{…}`, cut at `limit` characters:
/// names come from files and go to terminals.
public func escaped(_ text: String, limit: Int = 120) -> String {
  var result = ""
  for (index, scalar) in text.unicodeScalars.enumerated() {
    if index == limit { return result + "…" }
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
      result += "\\u{\(String(scalar.value, radix: 16))}"
    default:
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}
