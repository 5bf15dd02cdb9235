public import Checkpoints

/// How far a candidate is from a reference, at every stage that the reference has.
public struct Verification: Sendable, Equatable {
  /// One of the two models.
  public struct Side: Sendable, Equatable {
    /// A name for people.
    public var model: String
    /// What computed the numbers.
    public var producer: String

    /// From its parts.
    public init(model: String, producer: String) { (self.model, self.producer) = (model, producer) }
  }

  /// Scores of pairs under both models.
  public struct Pairs: Sendable, Equatable {
    /// Under the reference.
    public var reference: PairScores
    /// Under the candidate.
    public var candidate: PairScores

    /// From its parts.
    public init(reference: PairScores, candidate: PairScores) {
      (self.reference, self.candidate) = (reference, candidate)
    }
  }

  /// What is taken for right.
  public var reference: Side
  /// What is held against it.
  public var candidate: Side
  /// The names of the images.
  public var imageNames: [String] = []
  /// The texts; ids where there are no texts.
  public var prompts: [String] = []
  /// The stages, in order.
  public var stages: [StageComparison] = []
  /// Which texts fit an image best; nil without logits.
  public var ranking: RankingAgreement?
  /// Retrieval and loss of pairs under the reference and under the candidate; nil without pairs.
  public var pairs: Pairs?
  /// What was not compared, and why.
  public var notes: [String] = []

  /// Nothing compared yet.
  public init(reference: Side, candidate: Side) { (self.reference, self.candidate) = (reference, candidate) }

  /// The first stage that is not accepted.
  public func firstDeparture(_ tolerances: Tolerances) -> StageComparison? {
    stages.first { !tolerances.accepts($0) }
  }
}

/// Compares what two models made of the same input.
///
/// A stage of the reference that the candidate has not, or has in another shape, is a departure and not an error.
/// - Throws: `mismatch` when the two were given different images or prompts, `missing` when there is nothing to compare.
public func verify(
  _ candidate: Golden, against reference: Golden, towers: TowerSelection = .both
) throws(FileError) -> Verification {
  try checkInputs(candidate, reference)
  var result = Verification(reference: side(reference), candidate: side(candidate))
  result.imageNames = reference.imageNames
  result.prompts = try names(ofTexts: reference)
  var unseen: [String] = []
  for stage in reference.stages where towers.include(stage) {
    if stage.group == .hidden, hasNoBlocks(candidate, like: stage) { continue }
    if candidate.isPartial, [.hidden, .logits].contains(stage.group), candidate.checkpoint[stage.tensorName] == nil {
      unseen.append(stage.name)
      continue
    }
    result.stages.append(try compare(stage, candidate, reference))
  }
  guard !result.stages.isEmpty else {
    throw FileError(.missing, "the reference has nothing of the encoders that are to be compared")
  }
  if !unseen.isEmpty {
    result.notes.append(
      "not compared, because the candidate's graph does not show them: \(unseen.joined(separator: ", "))")
  }
  for (encoder, isIncluded) in [("image", towers != .text), ("text", towers != .image)] {
    let stem = Stage("\(encoder).stem")
    if isIncluded, let stem, reference.stages.contains(stem) != candidate.stages.contains(stem) {
      let who = reference.stages.contains(stem) ? "candidate" : "reference"
      result.notes.append("\(encoder) blocks are not compared: the \(who) has none recorded")
    }
  }
  try addScores(&result, candidate, reference)
  result.notes += try differentFacts(candidate, reference)
  return result
}

/// Facts that both configs state, and not alike: often why the numbers depart.
private func differentFacts(_ candidate: Golden, _ reference: Golden) throws(FileError) -> [String] {
  func facts(_ golden: Golden) throws(FileError) -> JSONObject? {
    guard let text = golden.checkpoint.metadata["clipkit.config"]?.string else { return nil }
    return try JSONValue(parsing: Array(text.utf8)).object
  }
  guard let found = try facts(candidate), let expected = try facts(reference) else { return [] }
  return expected.keys.compactMap { key in
    guard let first = expected[key], let second = found[key], first != second,
      first.number == nil || first.number != second.number
    else { return nil }
    return "\(key) is \(second.text()), the reference's is \(first.text())"
  }
}

extension TowerSelection {
  /// Whether a stage is computed; logits need both.
  fileprivate func include(_ stage: Stage) -> Bool {
    self == .both || (self == .image ? stage.isAboutImages : stage.isAboutText)
  }
}

private func side(_ golden: Golden) -> Verification.Side {
  let metadata = golden.checkpoint.metadata
  return Verification.Side(
    model: metadata["clipkit.model"]?.string ?? "", producer: metadata["clipkit.producer"]?.string ?? "")
}

/// The prompts, or the ids where there are none.
private func names(ofTexts golden: Golden) throws(FileError) -> [String] {
  if let prompts = golden.prompts { return prompts }
  return zip(try golden.inputIDs(), golden.tokenCounts).map { ids, count in
    "ids \(ids.prefix(count).map(String.init).joined(separator: " "))"
  }
}

/// A candidate recorded without the inside of its encoder says nothing about it.
private func hasNoBlocks(_ golden: Golden, like stage: Stage) -> Bool {
  let encoder = stage.isAboutImages ? "image" : "text"
  return golden.checkpoint["\(encoder).stem"] == nil && golden.checkpoint["\(encoder)_embeds"] != nil
}

private func checkInputs(_ candidate: Golden, _ reference: Golden) throws(FileError) {
  if candidate.imageCount > 0, reference.imageCount > 0 {
    guard candidate.imageCount == reference.imageCount else {
      throw FileError(
        .mismatch, "the candidate was given \(candidate.imageCount) images, the reference \(reference.imageCount)")
    }
    for index in 0..<reference.imageCount {
      guard try candidate.image(index).load() == reference.image(index).load() else {
        throw FileError(.mismatch, "the candidate was given another image \(index)")
      }
    }
  }
  guard candidate.textCount > 0, reference.textCount > 0 else { return }
  guard candidate.textCount == reference.textCount else {
    throw FileError(
      .mismatch, "the candidate was given \(candidate.textCount) texts, the reference \(reference.textCount)")
  }
  if let first = candidate.prompts, let second = reference.prompts, first != second {
    let index = zip(first, second).enumerated().first { $1.0 != $1.1 }?.offset ?? 0
    throw FileError(.mismatch, "the candidate was given another prompt \(index)")
  }
}

private func addScores(_ result: inout Verification, _ candidate: Golden, _ reference: Golden) throws(FileError) {
  guard let logits = result.stages.first(where: { $0.stage.group == .logits }), logits.error.isFinite,
    let first = reference.checkpoint["logits_per_image"], let second = candidate.checkpoint["logits_per_image"]
  else { return }
  let matrices = try (
    ScoreMatrix(first.doubles(), columns: reference.textCount),
    ScoreMatrix(second.doubles(), columns: reference.textCount)
  )
  result.ranking = RankingAgreement(matrices.0, matrices.1)
  let (pairs, family) = (reference.pairs, reference.family)
  if let right = PairScores(matrices.0, pairs: pairs, family: family),
    let found = PairScores(matrices.1, pairs: pairs, family: family)
  {
    result.pairs = Verification.Pairs(reference: right, candidate: found)
  }
}
