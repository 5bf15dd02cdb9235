#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A matrix of scores, a row for each image and a column for each text.
struct ScoreMatrix {
  let rows: Int
  let columns: Int
  private let values: [Double]

  /// `values` row by row.
  init(_ values: [Double], columns: Int) {
    self.values = values
    self.columns = columns
    rows = columns == 0 ? 0 : values.count / columns
  }

  subscript(row: Int, column: Int) -> Double { values[row * columns + column] }

  func row(_ row: Int) -> [Double] { Array(values[(row * columns)..<((row + 1) * columns)]) }
  func column(_ column: Int) -> [Double] { (0..<rows).map { self[$0, column] } }
}

/// Indices from the highest score to the lowest; of equal scores the first comes first.
func ranked(_ scores: [Double]) -> [Int] {
  scores.indices.sorted { scores[$0] > scores[$1] || (scores[$0] == scores[$1] && $0 < $1) }
}

/// How far two models agree on which texts fit an image best.
public struct RankingAgreement: Sendable, Equatable {
  /// Images whose best text is the same, as a fraction.
  public let top1: Double
  /// The mean overlap of the five best texts, as a fraction; nil when there are not more than five.
  public let top5: Double?
  /// Spearman's rank correlation of the texts' scores, as the mean over images; nil with fewer than two texts.
  public let spearmanMean: Double?
  /// The smallest of them.
  public let spearmanMin: Double?

  /// From its parts.
  public init(top1: Double, top5: Double?, spearmanMean: Double?, spearmanMin: Double?) {
    (self.top1, self.top5, self.spearmanMean, self.spearmanMin) = (top1, top5, spearmanMean, spearmanMin)
  }

  /// Of two matrices of one shape.
  init(_ reference: ScoreMatrix, _ candidate: ScoreMatrix) {
    var (same, overlap) = (0, 0)
    var correlations: [Double] = []
    for row in 0..<reference.rows {
      let (first, second) = (reference.row(row), candidate.row(row))
      let (best, other) = (ranked(first), ranked(second))
      if best.first == other.first { same += 1 }
      overlap += Set(best.prefix(5)).intersection(other.prefix(5)).count
      if let correlation = spearman(first, second) { correlations.append(correlation) }
    }
    let count = Double(max(1, reference.rows))
    top1 = Double(same) / count
    top5 = reference.columns > 5 ? Double(overlap) / (5 * count) : nil
    spearmanMean = correlations.isEmpty ? nil : correlations.reduce(0, +) / Double(correlations.count)
    spearmanMin = correlations.min()
  }
}

/// Spearman's rank correlation; nil when one list has a single value only, or NaN, which have no order.
func spearman(_ first: [Double], _ second: [Double]) -> Double? {
  guard !first.contains(where: \.isNaN), !second.contains(where: \.isNaN) else { return nil }
  let (x, y) = (averageRanks(first), averageRanks(second))
  let mean = Double(x.count + 1) / 2
  var (xy, xx, yy) = (0.0, 0.0, 0.0)
  for (a, b) in zip(x, y) {
    xy += (a - mean) * (b - mean)
    xx += (a - mean) * (a - mean)
    yy += (b - mean) * (b - mean)
  }
  return xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : nil
}

/// Ranks from 1, equal values sharing the mean of theirs.
private func averageRanks(_ values: [Double]) -> [Double] {
  let order = values.indices.sorted { values[$0] < values[$1] }
  var ranks = [Double](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    var end = start
    while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
    for position in start..<end { ranks[order[position]] = Double(start + 1 + end) / 2 }
    start = end
  }
  return ranks
}

/// What a model makes of images and the texts that describe them.
public struct PairScores: Sendable, Equatable {
  /// Images that find one of their texts at the first place, as a fraction of those that have any.
  public let imageToText1: Double
  /// … among the first five; nil when there are not more than five texts.
  public let imageToText5: Double?
  /// Texts that find their image at the first place, as a fraction of those that have one.
  public let textToImage1: Double
  /// … among the first five; nil when there are not more than five images.
  public let textToImage5: Double?
  /// CLIP: the symmetric cross-entropy over pairs; SigLIP: the sigmoid loss. An image's first text makes its pair.
  public let loss: Double

  /// From its parts.
  public init(
    imageToText1: Double, imageToText5: Double?, textToImage1: Double, textToImage5: Double?, loss: Double
  ) {
    (self.imageToText1, self.imageToText5) = (imageToText1, imageToText5)
    (self.textToImage1, self.textToImage5) = (textToImage1, textToImage5)
    self.loss = loss
  }

  /// Of logits, and the image of each text; nil when there are no pairs.
  init?(_ logits: ScoreMatrix, pairs: [Int?], family: ModelFamily) {
    let texts = pairs.indices.filter { pairs[$0] != nil }
    var firstText: [Int: Int] = [:]
    for text in texts { if let image = pairs[text], firstText[image] == nil { firstText[image] = text } }
    let images = firstText.keys.sorted()
    guard !texts.isEmpty else { return nil }

    let byImage = images.map { image in
      ranked(logits.row(image)).firstIndex { pairs[$0] == image } ?? logits.columns
    }
    let byText = texts.map { text in ranked(logits.column(text)).firstIndex { $0 == pairs[text] } ?? logits.rows }
    func share(_ places: [Int], below limit: Int) -> Double {
      Double(places.count { $0 < limit }) / Double(places.count)
    }
    imageToText1 = share(byImage, below: 1)
    imageToText5 = logits.columns > 5 ? share(byImage, below: 5) : nil
    textToImage1 = share(byText, below: 1)
    textToImage5 = logits.rows > 5 ? share(byText, below: 5) : nil

    let square = images.map { image in images.map { logits[image, firstText[$0] ?? 0] } }
    loss = family == .clip ? Self.crossEntropy(square) : Self.sigmoidLoss(square)
  }

  /// The mean of both directions' cross-entropy, the diagonal being right.
  private static func crossEntropy(_ logits: [[Double]]) -> Double {
    var total = 0.0
    for index in logits.indices {
      total += logSumExp(logits[index]) + logSumExp(logits.map { $0[index] }) - 2 * logits[index][index]
    }
    return total / Double(2 * logits.count)
  }

  private static func logSumExp(_ values: [Double]) -> Double {
    let largest = values.max() ?? 0
    return largest + log(values.reduce(0) { $0 + exp($1 - largest) })
  }

  /// -Σ log σ(±logit) / n, the sign being that of the diagonal.
  private static func sigmoidLoss(_ logits: [[Double]]) -> Double {
    var total = 0.0
    for row in logits.indices {
      for column in logits.indices {
        let value = row == column ? logits[row][column] : -logits[row][column]
        total += max(0, -value) + log1p(exp(-abs(value)))
      }
    }
    return total / Double(logits.count)
  }
}
