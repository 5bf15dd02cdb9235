import CLIPModels
import Checkpoints

/// A verification as one page: no script, nothing loaded, all names and texts escaped.
struct VerificationPage {
  let result: Verification
  let tolerances: Tolerances
  /// The picture of an image as the reference's encoder saw it; nil where there is none.
  let picture: (Int) throws(FileError) -> Picture?

  /// How many of the worst inputs are shown.
  private static let shown = 6

  /// The page.
  func html() throws(FileError) -> String {
    let plots = VerificationPlots(result: result, tolerances: tolerances)
    let isGood = result.firstDeparture(tolerances) == nil
    let verdict = VerificationText(result: result, tolerances: tolerances).verdict
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
      <title>\(isGood ? "Agrees" : "Departs"): \(htmlText(result.candidate.model))</title>
      <style>\(pageStyle)</style>
      </head>
      <body>
      <main>
      <h1 class="\(isGood ? "good" : "bad")"><span class="mark">\(isGood ? "✓" : "✗")</span> \(htmlText(verdict))</h1>
      \(sides)
      \(result.notes.map { "<p class=\"note\">\(htmlText($0))</p>" }.joined())
      <h2>Error by stage</h2>
      <p>Dots are errors, dashes what profile \(tolerances.profile.rawValue) allows, on a logarithmic scale. What is about texts is shaded.</p>
      \(plots.errors)
      \(distribution(plots.cosines))
      \(scores)
      \(try worst)
      <h2>All stages</h2>
      \(stages)
      </main>
      </body>
      </html>

      """
  }

  // MARK: Parts

  private func isolated(_ text: String, limit: Int = 500) -> String { "<bdi>\(htmlText(text, limit: limit))</bdi>" }

  private func html(_ rows: [[String]], head: [String]) -> String {
    let top = head.isEmpty ? "" : "<thead><tr>" + head.map { "<th>\($0)</th>" }.joined() + "</tr></thead>"
    let body = rows.map { row in
      "<tr><th>\(row[0])</th>" + row.dropFirst().map { "<td>\($0)</td>" }.joined() + "</tr>"
    }
    return "<div class=\"scroll\"><table>\(top)<tbody>\(body.joined())</tbody></table></div>"
  }

  private var sides: String {
    let inputs = "\(counted(result.imageNames.count, "image")), \(counted(result.prompts.count, "prompt"))"
    return html(
      [
        ["Candidate", isolated(result.candidate.model), isolated(result.candidate.producer)],
        ["Reference", isolated(result.reference.model), isolated(result.reference.producer)],
        ["Inputs", inputs, ""],
      ], head: [])
  }

  private func distribution(_ plot: String?) -> String {
    guard let plot else { return "" }
    return """
      <h2>Distribution of cosines</h2>
      <p>1 − cosine of candidate and reference: <span class="key images">images</span> <span class="key texts">texts</span></p>
      \(plot)
      """
  }

  private var scores: String {
    var rows: [[String]] = []
    if let pairs = result.pairs {
      func row(_ title: String, _ value: (PairScores) -> Double?, _ show: (Double) -> String) {
        guard let first = value(pairs.reference), let second = value(pairs.candidate) else { return }
        rows.append([title, show(first), show(second)])
      }
      row("image → text, recall@1", \.imageToText1, percent)
      row("image → text, recall@5", \.imageToText5, percent)
      row("text → image, recall@1", \.textToImage1, percent)
      row("text → image, recall@5", \.textToImage5, percent)
      row("loss of the pairs", \.loss) { decimal($0, 6) }
    }
    var text = ""
    if let ranking = result.ranking {
      text = "<p>The best prompt is the same for \(percent(ranking.top1)) of the images"
      if let top5 = ranking.top5 { text += ", the best five for \(percent(top5))" }
      if let mean = ranking.spearmanMean, let least = ranking.spearmanMin {
        text += "; Spearman's rank correlation is \(decimal(mean, 4)), at least \(decimal(least, 4))"
      }
      text += ".</p>"
    }
    guard !text.isEmpty || !rows.isEmpty else { return "" }
    let pairs = rows.isEmpty ? "" : html(rows, head: ["", "Reference", "Candidate"])
    return "<h2>Rankings</h2>\n\(text)\n\(pairs)"
  }

  private func percent(_ fraction: Double) -> String { "\(decimal(100 * fraction, 1)) %" }

  private var worst: String {
    get throws(FileError) {
      var text = ""
      let images = worstItems("image_embeds")
      if !images.isEmpty {
        text += "<h2>Worst images</h2>\n<div class=\"cards\">"
        for (index, error) in images {
          let image = try picture(index).map { "<img alt=\"\" src=\"\($0.uri)\">" } ?? ""
          text += "<figure>\(image)<figcaption>\(isolated(result.imageNames[index], limit: 80))"
          text += "<br>error \(scientific(error))</figcaption></figure>"
        }
        text += "</div>\n"
      }
      let prompts = worstItems("text_embeds")
      if !prompts.isEmpty {
        text += "<h2>Worst prompts</h2>\n"
        text += html(
          prompts.map { [scientific($1), isolated(result.prompts[$0], limit: 300)] }, head: ["Error", "Prompt"])
      }
      return text
    }
  }

  /// The embeddings that are furthest from the reference's.
  private func worstItems(_ stage: String) -> [(index: Int, error: Double)] {
    let errors = result.stages.first { $0.stage.name == stage }?.itemErrors ?? []
    return errors.enumerated().filter { $1 > 0 }.sorted { ($1.element, $0.offset) < ($0.element, $1.offset) }
      .prefix(Self.shown).map { ($0.offset, $0.element) }
  }

  private var stages: String {
    let rows = result.stages.map { comparison -> [String] in
      let limit = tolerances.limit(for: comparison.stage)
      let isGood = tolerances.accepts(comparison)
      let error =
        "<span class=\"\(isGood ? "good" : "bad")\">\(isGood ? "✓" : "✗") \(scientific(comparison.error))</span>"
      let isExact = [.tokens, .pixels].contains(comparison.stage.group)
      func cell(_ number: Double?) -> String { number.map { decimal($0, 8) } ?? "" }
      return [
        comparison.stage.name, error, scientific(limit), isExact ? "" : scientific(comparison.maxAbsolute),
        isExact ? "" : scientific(comparison.relative), cell(comparison.cosine?.min), cell(comparison.cosine?.mean),
        cell(comparison.centredCosine?.min), cell(comparison.centredCosine?.mean),
        "\(grouped(comparison.differing)) of \(grouped(comparison.count))", isolated(comparison.remark ?? ""),
      ]
    }
    return "<div class=\"small\">"
      + html(
        rows,
        head: [
          "Stage", "Error", "Allowed", "Max-abs", "Relative", "Cosine, least", "mean", "Centred, least", "mean",
          "Differing", "",
        ]) + "</div>"
  }
}

/// Colours follow the reader's choice of light or dark; wide things scroll on their own.
private let pageStyle = """
  :root{color-scheme:light dark;--ink:#1d2330;--soft:#5c6575;--paper:#fff;--band:#f1f3f7;--rule:#d8dce4;\
  --good:#0a7a3f;--bad:#c22033;--images:#2563b8;--texts:#b4600b}\
  @media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#9aa4b5;--paper:#14171d;--band:#1d222b;--rule:#333b48;\
  --good:#4ccb84;--bad:#ff6b78;--images:#6aa7f5;--texts:#eda04c}}\
  body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
  main{max-width:1080px;margin:0 auto;padding:24px 16px 64px}\
  h1{font-size:22px;line-height:1.3;margin:0 0 16px;overflow-wrap:anywhere}h2{font-size:17px;margin:32px 0 8px}\
  p{margin:0 0 8px;color:var(--soft)}p.note{color:var(--ink)}.good{color:var(--good)}.bad{color:var(--bad)}\
  .scroll{overflow-x:auto}svg{display:block;width:100%;height:auto;font-size:11px}svg text{fill:var(--soft)}\
  .grid{stroke:var(--rule)}.axis{stroke:var(--soft)}.stem{stroke:var(--rule);stroke-width:2}\
  .limit{stroke:var(--soft);stroke-width:2}circle.good{fill:var(--good)}circle.bad{fill:var(--bad)}.band{fill:var(--band)}\
  rect.images,.key.images{fill:var(--images);border-color:var(--images)}\
  rect.texts,.key.texts{fill:var(--texts);border-color:var(--texts)}\
  .key{border-left:12px solid;padding-left:6px;margin-left:12px}\
  table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
  th,td{text-align:left;padding:4px 16px 4px 0;border-bottom:1px solid var(--rule);vertical-align:top}\
  td,th{white-space:nowrap}th{font-weight:600}td bdi{white-space:normal;overflow-wrap:anywhere}\
  .small{font-size:13px}.small td,.small th{padding-right:12px}\
  .cards{display:flex;flex-wrap:wrap;gap:16px}figure{margin:0;width:136px}\
  img{width:136px;height:136px;image-rendering:pixelated;display:block}\
  figcaption{font-size:13px;color:var(--soft);overflow-wrap:anywhere}
  """
