import CLIPModels
import Checkpoints

/// A verification for the terminal.
struct VerificationText {
  let result: Verification
  let tolerances: Tolerances

  /// `listsBlocks`: every block has its line, also those that are accepted.
  func text(listsBlocks: Bool) -> String {
    var text = table([
      ["reference", describe(result.reference)], ["candidate", describe(result.candidate)],
      ["inputs", "\(counted(result.imageNames.count, "image")), \(counted(result.prompts.count, "prompt"))"],
      ["profile", profile],
    ])
    text +=
      "\n"
      + table(
        [["stage", "error", "allowed", "max-abs", "cosine: least", "mean", "centred: least"]] + rows(listsBlocks))
    text += "\n" + table(scores)
    for note in result.notes { text += "note: \(escaped(note, limit: 1000))\n" }
    return text + verdict + "\n"
  }

  private var profile: String {
    let others = tolerances.others.keys.sorted().map { "\($0)=\(scientific(tolerances.others[$0] ?? 0))" }
    return ([tolerances.profile.rawValue] + others).joined(separator: ", ")
  }

  private func describe(_ side: Verification.Side) -> String {
    let producer = side.producer.isEmpty ? "" : " (\(escaped(side.producer, limit: 300)))"
    return escaped(side.model, limit: 300) + producer
  }

  private func rows(_ listsBlocks: Bool) -> [[String]] {
    var rows: [[String]] = []
    var run: [StageComparison] = []
    func endRun() {
      // Accepted blocks in a row are one line, that of the worst.
      if let first = run.first, let last = run.last, let worst = run.max(by: { $0.error < $1.error }) {
        let number = last.stage.name.split(separator: ".").last ?? ""
        rows.append(row(run.count == 1 ? first.stage.name : "\(first.stage.name)…\(number)", worst))
      }
      run = []
    }
    for comparison in result.stages {
      let isQuiet = comparison.stage.isBlock && !listsBlocks && tolerances.accepts(comparison)
      if let last = run.last, !isQuiet || last.stage.isAboutImages != comparison.stage.isAboutImages { endRun() }
      if isQuiet { run.append(comparison) } else { rows.append(row(comparison.stage.name, comparison)) }
    }
    endRun()
    return rows
  }

  private func row(_ name: String, _ comparison: StageComparison) -> [String] {
    let isExact = [.tokens, .pixels].contains(comparison.stage.group)
    let isMeasured = comparison.error.isFinite && !isExact
    let limit = tolerances.limit(for: comparison.stage)
    func number(_ value: Double) -> String { isExact && value.isFinite ? decimal(value, 0) : scientific(value) }
    func cell(_ value: Double?) -> String { isMeasured ? value.map { decimal($0, 8) } ?? "" : "" }
    let row = [
      name, number(comparison.error), number(limit), isMeasured ? scientific(comparison.maxAbsolute) : "",
      cell(comparison.cosine?.min), cell(comparison.cosine?.mean), cell(comparison.centredCosine?.min),
      tolerances.accepts(comparison) ? "" : "departs",
    ]
    return Array(row[...(row.lastIndex { !$0.isEmpty } ?? 0)])
  }

  private var scores: [[String]] {
    var rows: [[String]] = []
    if let ranking = result.ranking {
      var row = ["ranking", "best prompt is the same for \(percent(ranking.top1))"]
      if let top5 = ranking.top5 { row.append("best five for \(percent(top5))") }
      if let mean = ranking.spearmanMean, let least = ranking.spearmanMin {
        row.append("Spearman \(decimal(mean, 4)), least \(decimal(least, 4))")
      }
      rows.append(row)
    }
    guard let pairs = result.pairs else { return rows }
    for (name, scores) in [("reference", pairs.reference), ("candidate", pairs.candidate)] {
      rows.append(
        ["pairs, \(name)", "image → text \(recall(scores.imageToText1, scores.imageToText5))"]
          + ["text → image \(recall(scores.textToImage1, scores.textToImage5))", "loss \(decimal(scores.loss, 6))"])
    }
    return rows
  }

  private func recall(_ one: Double, _ five: Double?) -> String {
    "recall@1 \(percent(one))" + (five.map { ", @5 \(percent($0))" } ?? "")
  }

  private func percent(_ fraction: Double) -> String { "\(decimal(100 * fraction, 1)) %" }

  /// One line: what a user wants to know first.
  var verdict: String {
    guard let first = result.firstDeparture(tolerances) else {
      return "agrees at \(counted(result.stages.count, "stage"))"
    }
    let size = "error \(scientific(first.error)), allowed \(scientific(tolerances.limit(for: first.stage)))"
    return "departs at \(first.stage): " + (first.remark.map { escaped($0, limit: 300) } ?? size)
  }
}

extension Stage {
  /// Whether it is one of an encoder's blocks.
  var isBlock: Bool { name.contains(".blocks.") }
}
