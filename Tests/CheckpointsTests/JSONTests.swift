import Checkpoints
import Testing

@Suite struct JSONTests {
  private func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

  @Test func valuesAreWhatTheyAre() throws {
    let value = try parse(#" {"a":[1,-2.5e3,true,false,null],"b":{"c":"d\n\u00e9\ud83d\ude00\/\"\\"}} "#)
    #expect(value["a"]?.array?.map(\.number) == [1, -2500, nil, nil, nil])
    #expect(value["a"]?.array?[2].bool == true)
    #expect(value["b"]?["c"]?.string == "d\né😀/\"\\")
    #expect(value.object?.keys == ["a", "b"])
    #expect(value["a"]?.array?[0].integer == 1)
  }

  @Test func writingAndParsingGiveTheSame() throws {
    let value: JSONValue = [
      "a": [1, "two", nil ?? .null], "b": ["c": 1.5, "d": true], "e": [], "f": [:], "\u{1}\"": "\u{7f}",
    ]
    for pretty in [false, true] { #expect(try parse(value.text(pretty: pretty)) == value) }
    #expect(value["b"]?.text() == #"{"c":1.5,"d":true}"#)
  }

  @Test(arguments: [
    ("", "JSON ends before its value", 0), ("{", "JSON ends before its value", 1), ("[1,]", "JSON: not a number", 3),
    ("{\"a\":1,}", "JSON: found '}', expected '\"'", 7), ("[1 2]", "JSON: found '2', expected ',' or ']'", 3),
    ("01", "JSON: not a number", 0), ("-", "JSON: not a number", 0), ("1.", "JSON: not a number", 0),
    ("1e", "JSON: not a number", 0), ("NaN", "JSON: not a number", 0), ("tru", "JSON: unknown word", 0),
    ("\"a", "JSON string does not end", 2), ("\"\\x\"", "JSON: unknown escape 'x'", 2),
    ("\"\\ud800\"", "JSON: lone surrogate", 1), ("\"\\ud800\\u0041\"", "JSON: lone surrogate", 1),
    ("\"\\udc00\"", "JSON: lone surrogate", 1), ("\"\\u12g4\"", "JSON: \\u needs four hexadecimal digits", 3),
    ("\"a\nb\"", "JSON: control character byte 0xa in a string", 2),
    ("{\"a\":1,\"a\":2}", "JSON: duplicate key 'a'", 7),
    ("1 1", "JSON: 1 bytes after the value", 2),
  ])
  func badDocumentsAreRefusedWithTheirOffset(_ text: String, _ says: String, _ offset: Int) {
    let error = #expect(throws: FileError.self) { try parse(text) }
    #expect(error?.message == says)
    #expect(error?.offset == offset)
  }

  @Test func nestingIsLimited() throws {
    _ = try parse(String(repeating: "[", count: 100) + String(repeating: "]", count: 100))
    let error = #expect(throws: FileError.self) { try parse(String(repeating: "[", count: 101)) }
    #expect(error?.message == "JSON is nested deeper than 100")
  }
}
