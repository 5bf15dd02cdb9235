import CLIPModels
import Checkpoints
import TestSupport
import Testing

@Suite struct PromptListTests {
  @Test(arguments: [
    ("a dog\na cat\n", ["a dog", "a cat"]), ("a dog\na cat", ["a dog", "a cat"]),
    ("\u{FEFF}a dog\r\na cat\r\n", ["a dog", "a cat"]), (" a  dog \n\ta cat", [" a  dog ", "\ta cat"]),
    ("a\u{FEFF}b\n\u{FEFF}c", ["a\u{FEFF}b", "\u{FEFF}c"]), ("a\rb\r\r\n", ["a\rb\r"]), ("[a dog", ["[a dog"]),
    ("日本\n🐈\u{1F3FD}", ["日本", "🐈\u{1F3FD}"]), ("a\u{0301}\u{2028}b\u{85}", ["a\u{0301}\u{2028}b\u{85}"]),
    (#"["a dog", "", "a\ncat\u00e9"]"#, ["a dog", "", "a\ncat\u{E9}"]),
    ("\u{FEFF} \n[\"a\"]\r\n", ["a"]), ("\"a\"", ["\"a\""]),
  ]) func readsLinesAndArrays(_ text: String, _ expected: [String]) throws {
    let prompts = try PromptList(parsing: Array(text.utf8)).prompts
    // Byte by byte: Swift takes composed and decomposed letters for equal.
    #expect(prompts.map { Array($0.utf8) } == expected.map { Array($0.utf8) })
  }

  @Test(arguments: [
    ("", FileError.Kind.truncated, "no prompts", nil), ("\u{FEFF}", .truncated, "no prompts", nil),
    ("[]", .truncated, "no prompts", nil), ("a\n\nb\n", .malformed, "line 2 is empty, expected a prompt", 2),
    ("a\r\n\r\n", .malformed, "line 2 is empty, expected a prompt", 3), ("\n", .malformed, "line 1 is empty", 0),
    ("a\nb\0c\n", .malformed, "line 2 contains NUL", 2), (#"["a", 1]"#, .malformed, "prompt 2 is not a string", 6),
    (#"["a", ["b"]]"#, .malformed, "prompt 2 is not a string", 6),
    (#"["a\u0000"]"#, .malformed, "prompt 1 contains NUL", 1), (#"["a" "b"]"#, .malformed, "JSON: found '\"'", 5),
    (#"[a photo]"#, .malformed, "prompt 1 is not a string", 1),
  ]) func refusesWhatIsNoPrompt(_ text: String, _ kind: FileError.Kind, _ message: String, _ offset: Int?) {
    let error = #expect(throws: FileError.self) { try PromptList(parsing: Array(text.utf8)) }
    #expect(error?.kind == kind && error?.message.hasPrefix(message) == true, "\(error?.description ?? "")")
    #expect(error?.offset == offset)
  }

  @Test func refusesWhatIsNotUTF8() {
    for (bytes, line, offset) in [([0x61, 0x0A, 0xC3, 0x28], 2, 2), ([0xFF, 0xFE, 0x61, 0x00], 1, 0)] {
      let error = #expect(throws: FileError.self) { try PromptList(parsing: bytes.map(UInt8.init)) }
      #expect(error?.message == "line \(line) is not UTF-8" && error?.offset == offset)
      #expect(error?.hint == "Save the list as UTF-8")
    }
  }

  @Test func aPromptHasALimit() throws {
    let longest = String(repeating: "é", count: 32_768)
    #expect(try PromptList(parsing: Array("a\n\(longest)\r\n".utf8)).prompts[1] == longest)
    #expect(try PromptList(parsing: Array("[\"\(longest)\"]".utf8)).prompts == [longest])
    let line = #expect(throws: FileError.self) { try PromptList(parsing: Array("a\nx\(longest)\n".utf8)) }
    #expect(line?.message == "line 2 has 65537 bytes, allowed 65536")
    let element = #expect(throws: FileError.self) { try PromptList(parsing: Array("[\"x\(longest)\"]".utf8)) }
    #expect(element?.message == "prompt 1 has 65537 bytes, allowed 65536")
  }

  @Test func aMillionPromptsAreRead() throws {
    let bytes = (0..<1_000_000).flatMap { Array("a photo of \($0)\n".utf8) }
    let list = try PromptList(parsing: bytes)
    #expect(list.prompts.count == 1_000_000 && list.prompts.last == "a photo of 999999")
  }

  @Test func duplicatesAreCounted() throws {
    #expect(try PromptList(parsing: Array("a\nb\na\na\n".utf8)).duplicates == 2)
    #expect(try PromptList(parsing: Array("a\nb\n".utf8)).duplicates == 0)
  }

  @Test func aFileIsNamedInErrors() throws {
    let directory = try TemporaryDirectory()
    try directory.write(Array("a\n\n".utf8), to: "p.txt")
    let error = #expect(throws: FileError.self) { try PromptList(contentsOf: directory.file("p.txt")) }
    #expect(error?.file == directory.file("p.txt") && error?.offset == 2)
    let missing = #expect(throws: FileError.self) { try PromptList(contentsOf: directory.file("none")) }
    #expect(missing?.kind == .missing)
    try directory.write([], to: "large.txt")
    try directory.resize("large.txt", to: Limits.list + 1)
    let large = #expect(throws: FileError.self) { try PromptList(contentsOf: directory.file("large.txt")) }
    #expect(large?.message == "268435457 bytes of prompts, allowed 268435456")
  }
}
