import Checkpoints
import TestSupport
import Testing

@Test func tokenizePrintsIDs() throws {
  let run = try Workplace().run("tokenize", "--vocabulary", "standard", "a photo of a cat", "A DOG")
  #expect(run.exitCode == 0)
  #expect(run.stdout == "49406 320 1125 539 320 2368 49407\n49406 320 1929 49407\n")
  #expect(run.stderr.isEmpty)
}

@Test func tokenizeFollowsAModel() throws {
  let model = fixture("checkpoints/hf-clip")
  let run = try Workplace().run("tokenize", model, "a cat", "a cat that is far too long for sixteen tokens")
  #expect(run.exitCode == 0)
  #expect(run.stdout.hasPrefix("526 320 514 527\n526 320 514 "))
  #expect(run.stderr == "warning: does not fit into 16 tokens: 'a cat that is far too long for sixteen tokens'\n")
  let other = try Workplace().run("tokenize", model, "a cat", "--dialect", "openai", "--json")
  let json = try JSONValue(parsing: Array(other.stdout.utf8))
  #expect(json["dialect"] == "openai")
  let ids = json["texts"]?.array?.first?["ids"]?.array?.compactMap(\.integer)
  #expect(ids == [526, 320, 514, 527] + [Int](repeating: 0, count: 12))
}

@Test func tokenizeExplains() throws {
  let run = try Workplace().run("tokenize", "--vocabulary", "standard", "A  “DOG”&amp;", "--explain")
  let expected = """
    text                 'A  “DOG”&amp;'
    ftfy: unescape_html  'A  “DOG”&'
    ftfy: uncurl_quotes  'A  "DOG"&'
    white space          'A "DOG"&'
    lower case           'a "dog"&'
      'a'    a</w> 320
      '"'    "</w> 257
      'dog'  dog</w> 1929
      '"&'   " 1, &</w> 261
    7 of 77 tokens: 49406 320 257 1929 1 261 49407

    """
  #expect(run.stdout == expected)
  let long = try Workplace().run(
    "tokenize", "--vocabulary", "standard", String(repeating: "cat ", count: 80), "--explain")
  #expect(long.stdout.contains("\n5 tokens cut off, 77 fit: 49406 2368 "))
}

@Test func tokenizeComparesDialects() throws {
  let run = try Workplace().run(
    "tokenize", "--vocabulary", "standard", "a dog", "caf&eacute;", "ΑΣ", "--compare", "open_clip,hf")
  #expect(run.exitCode == 1)
  #expect(run.stdout.contains("'caf&eacute;': ftfy: unescape_html in open_clip\n  open_clip  49406 15304 49407\n"))
  #expect(run.stdout.contains("'ΑΣ': lower case in open_clip\n"))
  #expect(run.stdout.hasSuffix("open_clip and hf disagree about 2 of 3 texts\n"))
  let same = try Workplace().run("tokenize", "--vocabulary", "standard", "a dog", "--compare", "openai,open_clip")
  #expect(same.exitCode == 0)
  #expect(same.stdout == "openai and open_clip agree about 1 text\n")
  let spelled = try Workplace().run(
    "tokenize", "--vocabulary", "standard", "<|endoftext|>", "--compare", "openai,open_clip", "--json")
  let json = try JSONValue(parsing: Array(spelled.stdout.utf8))
  let difference = json["differences"]?.array?.first
  #expect(difference?["reason"] == "openai and open_clip cut the same text into other pieces")
  #expect(difference?["ids"]?["openai"]?.array?.compactMap(\.integer) == [49406, 49407, 49407])
}

@Test func tokenizeReadsLines() throws {
  let place = try Workplace()
  try place.write(Array("a cat\r\n\na dog".utf8), to: "prompts")
  let script = "exec \"$@\" < '\(place.file("prompts"))'"
  let run = try Clipkit.run("tokenize", "--vocabulary", "standard", "-", script: script)
  #expect(run.stdout == "49406 320 2368 49407\n49406 49407\n49406 320 1929 49407\n")
  try place.write(Array("a\n".utf8) + [0xFF, 0x0A], to: "prompts")
  let bad = try Clipkit.run("tokenize", "--vocabulary", "standard", "-", script: script)
  #expect(bad.exitCode == 65)
  #expect(bad.stderr == "error: standard input: line 2 is not UTF-8\n")
}

@Test func tokenizeRefusesWhatItCannotMean() throws {
  let place = try Workplace()
  for words in [["tokenize"], ["tokenize", "--vocabulary", "standard"], ["tokenize", fixture("checkpoints/hf-clip")]] {
    #expect(try Clipkit(words, script: "exec \"$@\"").wait().exitCode == 64)
  }
  let pair = try place.run("tokenize", "--vocabulary", "standard", "a", "--compare", "openai,openai")
  #expect(pair.exitCode == 64)
  let vision = try place.run("tokenize", fixture("checkpoints/hf-vision"), "a")
  #expect(vision.exitCode == 66)
  #expect(vision.stderr.contains("no text encoder, so no tokenizer"))
  let small = try place.run("tokenize", fixture("checkpoints/openai-vit.pt"), "a")
  #expect(small.exitCode == 66)
  #expect(small.stderr.contains("no vocabulary for the model's 128 tokens"))
  let nested = try place.run("tokenize", "--vocabulary", "standard", "&" + String(repeating: "amp;", count: 200))
  #expect(nested.exitCode == 65)
  #expect(nested.stderr == "error: text is escaped or misread more than 100 times over\n")
}
