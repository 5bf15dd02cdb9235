import CLIPModels
import Checkpoints

/// What a tokenizer makes of texts, as text and as JSON.
struct TokenizerReport {
  let dialect: TokenizerDialect
  let explains: Bool

  /// The ids of start, text and end.
  func line(_ sequence: TokenSequence) -> String {
    sequence.realIDs.map { "\($0)" }.joined(separator: " ") + "\n"
  }

  /// The steps, pieces and ids of a text.
  func text(of text: String, _ explanation: TokenizerExplanation) -> String {
    let steps = [["text", quoted(text)]] + explanation.steps.map { [$0.name, quoted($0.after)] }
    let pieces = explanation.pieces.map { piece in
      [quoted(piece.text), zip(piece.tokens, piece.ids).map { "\(escaped($0)) \($1)" }.joined(separator: ", ")]
    }
    let sequence = explanation.sequence
    let cut = explanation.tokenCount + 2 - sequence.count
    let length =
      cut > 0
      ? "\(counted(cut, "token")) cut off, \(sequence.ids.count) fit"
      : "\(sequence.count) of \(counted(sequence.ids.count, "token"))"
    return table(steps) + table(pieces, indent: "  ") + "\(length): " + line(sequence)
  }

  func json(of text: String, _ explanation: TokenizerExplanation) -> JSONValue {
    let sequence = explanation.sequence
    var json: JSONObject = [
      "text": .string(text), "ids": JSONValue(sequence.ids.map(Int.init)), "count": JSONValue(sequence.count),
      "truncated": .bool(sequence.isTruncated),
    ]
    if explains {
      json["steps"] = .array(
        explanation.steps.map { ["name": .string($0.name), "before": .string($0.before), "after": .string($0.after)] })
      json["pieces"] = .array(
        explanation.pieces.map {
          [
            "text": .string($0.text), "ids": JSONValue($0.ids.map(Int.init)),
            "tokens": .array($0.tokens.map(JSONValue.string)),
          ]
        })
    }
    return .object(json)
  }

  func json(_ texts: [JSONValue]) -> JSONValue {
    ["schema": 1, "dialect": .string(dialect.rawValue), "texts": .array(texts)]
  }

  private func quoted(_ text: String) -> String { "'\(escaped(text))'" }
}

/// The texts that two dialects disagree about.
struct TokenizerDifferenceReport {
  private let differences: [(text: String, difference: TokenizerDifference)]
  private let count: Int
  private let dialects: [String]

  init(_ differences: [(String, TokenizerDifference)], of count: Int, dialects: [TokenizerDialect]) {
    self.differences = differences
    self.count = count
    self.dialects = dialects.map(\.rawValue)
  }

  private func ids(_ explanation: TokenizerExplanation) -> ArraySlice<Int32> {
    explanation.sequence.realIDs
  }

  var text: String {
    var text = ""
    for (prompt, difference) in differences {
      text += "'\(escaped(prompt))': \(difference.reason)\n"
      let rows = zip(dialects, difference.explanations).map { [$0, ids($1).map { "\($0)" }.joined(separator: " ")] }
      text += table(rows, indent: "  ")
    }
    let names = dialects.joined(separator: " and ")
    return text
      + (differences.isEmpty
        ? "\(names) agree about \(counted(count, "text"))\n"
        : "\(names) disagree about \(grouped(differences.count)) of \(counted(count, "text"))\n")
  }

  var json: JSONValue {
    let entries = differences.map { prompt, difference -> JSONValue in
      var object = JSONObject()
      for (dialect, explanation) in zip(dialects, difference.explanations) {
        object[dialect] = JSONValue(ids(explanation).map(Int.init))
      }
      return ["text": .string(prompt), "reason": .string(difference.reason), "ids": .object(object)]
    }
    return [
      "schema": 1, "dialects": .array(dialects.map(JSONValue.string)), "texts": JSONValue(count),
      "differences": .array(entries),
    ]
  }
}
