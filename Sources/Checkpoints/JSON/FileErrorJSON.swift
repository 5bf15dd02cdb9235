extension FileError {
  /// The error as a JSON object: `code`, `message`, `file`, `offset`, `tensor` and `hint`, null where unknown.
  public var json: JSONValue {
    [
      "code": .string(kind.rawValue), "message": .string(message), "file": JSONValue(file),
      "offset": offset.map { JSONValue($0) } ?? .null, "tensor": JSONValue(tensor), "hint": JSONValue(hint),
    ]
  }
}
