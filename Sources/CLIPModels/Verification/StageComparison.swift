/// How far a candidate is from the reference at one stage.
public struct StageComparison: Sendable, Equatable {
  /// Which stage.
  public let stage: Stage
  /// The number that a tolerance is held against; infinite when the stage cannot be compared. What it is depends on the
  /// stage's group: `formats/verification.md`.
  public var error = 0.0
  /// Why it cannot be compared, or the first difference where there must be none.
  public var remark: String?
  /// Numbers that differ, of how many.
  public var differing = 0
  /// How many numbers there are.
  public var count = 0
  /// The largest |candidate - reference|.
  public var maxAbsolute = 0.0
  /// The Euclidean distance of all numbers, divided by the reference's length.
  public var relative = 0.0
  /// Cosines of the rows of both.
  public var cosine: Distribution?
  /// Cosines of embeddings after the reference's mean embedding was taken off both.
  public var centredCosine: Distribution?
  /// The image or text that is worst.
  public var worstItem: Int?
  /// The error of each image or text; for embeddings only.
  public var itemErrors: [Double] = []

  /// Of a stage, nothing found yet.
  public init(_ stage: Stage) { self.stage = stage }

  /// Of a stage that cannot be compared.
  init(_ stage: Stage, incomparable remark: String) {
    self.init(stage)
    error = .infinity
    self.remark = remark
  }
}

/// Numbers of one stage: rows of one length, some for each image or text.
struct StageRows {
  let columns: Int
  /// The rows of each item.
  let counts: [Int]
  let values: [Double]

  func row(_ index: Int) -> ArraySlice<Double> { values[(index * columns)..<((index + 1) * columns)] }
}

extension StageComparison {
  /// Of two equally long lists of numbers for which the largest difference counts, divided by `scale`.
  init(_ stage: Stage, absolute reference: [Double], _ candidate: [Double], scale: Double = 1, items: Int) {
    self.init(stage)
    measure(reference, candidate)
    guard error == 0 else { return }
    error = maxAbsolute / scale
    let size = reference.count / max(1, items)
    guard size > 0 else { return }
    let distances = (0..<items).map { item in
      (item * size..<(item + 1) * size).reduce(0) { max($0, abs(reference[$1] - candidate[$1])) }
    }
    worstItem = Self.worst(distances)
  }

  /// Of rows for which the distance counts, relative to the length of the reference's rows of the same item.
  init(_ stage: Stage, rows reference: StageRows, _ candidate: StageRows) {
    self.init(stage)
    measure(reference.values, candidate.values)
    var errors: [Double] = []
    var cosines: [Double] = []
    var row = 0
    for count in reference.counts {
      var (distance, squares) = (0.0, 0.0)
      for _ in 0..<count {
        let pair = RowPair(reference.row(row), candidate.row(row))
        distance = max(distance, pair.distance)
        squares += pair.firstSquares
        cosines.append(pair.cosine)
        row += 1
      }
      let length = (squares / Double(max(1, count))).squareRoot()
      errors.append(distance == 0 ? 0 : distance / length)
    }
    worstItem = Self.worst(errors)
    cosine = Distribution(cosines)
    if stage.group == .embeddings {
      itemErrors = errors
      centredCosine = Self.centred(reference, candidate)
    }
    if error == 0 { error = errors.max() ?? 0 }
  }

  private static func worst(_ errors: [Double]) -> Int? {
    errors.indices.max { errors[$0] < errors[$1] }.flatMap { errors[$0] > 0 ? $0 : nil }
  }

  private mutating func measure(_ reference: [Double], _ candidate: [Double]) {
    count = reference.count
    var (squares, distance, nonFinite) = (0.0, 0.0, 0)
    for (a, b) in zip(reference, candidate) {
      guard b.isFinite else {
        nonFinite += 1
        continue
      }
      if a != b { differing += 1 }
      maxAbsolute = max(maxAbsolute, abs(b - a))
      squares += a * a
      distance += (b - a) * (b - a)
    }
    relative = distance == 0 ? 0 : (distance / squares).squareRoot()
    if nonFinite > 0 {
      differing += nonFinite
      error = .infinity
      remark = "\(nonFinite) of \(count) numbers are not finite"
    }
  }

  /// Nil for a single embedding, which is its own mean.
  private static func centred(_ reference: StageRows, _ candidate: StageRows) -> Distribution? {
    let count = reference.counts.count
    guard count > 1 else { return nil }
    var mean = [Double](repeating: 0, count: reference.columns)
    for row in 0..<count { for (column, value) in reference.row(row).enumerated() { mean[column] += value } }
    for column in mean.indices { mean[column] /= Double(count) }
    return Distribution(
      (0..<count).map { row in
        RowPair(
          zip(reference.row(row), mean).map { $0 - $1 }[...], zip(candidate.row(row), mean).map { $0 - $1 }[...]
        ).cosine
      })
  }
}

/// Two rows and the sums over them; numbers of the second that are not finite count as zero.
private struct RowPair {
  private(set) var firstSquares = 0.0
  private var secondSquares = 0.0
  private var products = 0.0
  private var differences = 0.0

  init(_ first: ArraySlice<Double>, _ second: ArraySlice<Double>) {
    for (a, b) in zip(first, second) {
      let b = b.isFinite ? b : 0
      firstSquares += a * a
      secondSquares += b * b
      products += a * b
      differences += (a - b) * (a - b)
    }
  }

  var distance: Double { differences.squareRoot() }
  /// 1 when both are zero, 0 when one is.
  var cosine: Double {
    let lengths = firstSquares.squareRoot() * secondSquares.squareRoot()
    guard lengths > 0 else { return firstSquares == secondSquares ? 1 : 0 }
    return max(-1, min(1, products / lengths))
  }
}
