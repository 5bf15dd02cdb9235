import ArgumentParser
import CLIPModels
import Checkpoints

struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say which ids a model's tokenizer makes of text, and why.",
    usage: """
      clipkit tokenize <model> <text> ... [--dialect <dialect>] [--explain] [--json]
      clipkit tokenize --vocabulary standard <text> ... [--compare openai,hf]
      """,
    discussion: """
      Prints the ids of start, text and end, without padding: a line for each text. '-' reads texts from standard input, \
      one a line, or a JSON array of strings. Needs no model with --vocabulary standard, which is CLIP's own. With --compare the exit code is 1 \
      when the dialects disagree about a text.
      """)

  @Option(help: "A vocabulary instead of a model's.")
  var vocabulary: BuiltInVocabulary?

  @Argument(help: "A model, unless --vocabulary is given, and the texts.", completion: .file())
  var words: [String] = []

  @Option(help: "Whose cleaning and padding, instead of the model's.")
  var dialect: TokenizerDialect?

  @Flag(help: "Show each step that changes the text, the pieces with their ids, and what is cut off.")
  var explain = false

  @Option(
    help: ArgumentHelp(
      "Print the texts of which these two dialects make different ids, and the first step that differs.",
      valueName: "a,b"))
  var compare: DialectPair?

  @OptionGroup var config: ConfigArguments
  @OptionGroup var output: OutputOptions

  private var texts: ArraySlice<String> { vocabulary == nil ? words.dropFirst() : words[...] }

  func validate() throws {
    if vocabulary == nil, words.isEmpty { throw ValidationError("Name a model, or use --vocabulary standard.") }
    if texts.isEmpty { throw ValidationError("No text; '-' reads texts from standard input.") }
    if compare != nil, dialect != nil || explain {
      throw ValidationError("--compare names the dialects and explains the difference itself.")
    }
  }

  func run() throws {
    let texts = self.texts == ["-"] ? try StandardInput.texts() : Array(self.texts)
    guard let compare else { return try tokenize(texts) }
    let (first, second) = (try tokenizer(compare.first), try tokenizer(compare.second))
    var differences: [(String, TokenizerDifference)] = []
    for text in texts {
      if let difference = try TokenizerDifference(text, first, second) { differences.append((text, difference)) }
    }
    let report = TokenizerDifferenceReport(differences, of: texts.count, dialects: [compare.first, compare.second])
    Output.write(output.json ? report.json.text(pretty: true) : report.text)
    if !differences.isEmpty { throw ExitCode(1) }
  }

  private func tokenize(_ texts: [String]) throws {
    let tokenizer = try tokenizer(dialect)
    let report = TokenizerReport(dialect: tokenizer.dialect, explains: explain)
    if output.json {
      let entries = try texts.map { report.json(of: $0, try tokenizer.explain($0)) }
      return Output.write(report.json(entries).text(pretty: true))
    }
    for text in texts {
      if explain {
        Output.write(report.text(of: text, try tokenizer.explain(text)))
      } else {
        let sequence = try tokenizer.encode(text)
        if sequence.isTruncated { output.warn(["does not fit into \(sequence.ids.count) tokens: '\(escaped(text))'"]) }
        Output.write(report.line(sequence))
      }
    }
  }

  private func tokenizer(_ dialect: TokenizerDialect?) throws -> Tokenizer {
    if vocabulary != nil { return try Tokenizer(standard: dialect ?? .openAI) }
    let path = try inputPath(words[0])
    guard let model = try CLIPModel.open(path, options: config.options) else {
      throw FileError(.unsupported, "holds no CLIP", file: path)
    }
    return try Tokenizer(model, dialect: dialect)
  }
}

/// The vocabularies inside the program.
enum BuiltInVocabulary: String, CaseIterable, ExpressibleByArgument {
  case standard
}

/// Two dialects with a comma between them.
struct DialectPair: ExpressibleByArgument {
  let first: TokenizerDialect
  let second: TokenizerDialect

  init?(argument: String) {
    let words = argument.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    let dialects = words.map { TokenizerDialect(rawValue: String(Substring($0))) }
    guard dialects.count == 2, let first = dialects[0], let second = dialects[1], first != second else { return nil }
    (self.first, self.second) = (first, second)
  }
}
