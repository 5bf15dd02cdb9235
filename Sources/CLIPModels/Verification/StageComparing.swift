import Checkpoints

/// One stage of both; the reference has it.
func compare(_ stage: Stage, _ candidate: Golden, _ reference: Golden) throws(FileError) -> StageComparison {
  guard let expected = reference.checkpoint[stage.tensorName] else { return StageComparison(stage) }
  guard let found = candidate.checkpoint[stage.tensorName] else {
    return StageComparison(stage, incomparable: "the candidate has none")
  }
  let (rows, others) = (reference.rows(of: stage), candidate.rows(of: stage))
  guard expected.shape == found.shape, rows.counts == others.counts else {
    let remark =
      expected.shape == found.shape
      ? "other counts of tokens than the reference's" : "shape \(found.shape), the reference's is \(expected.shape)"
    return StageComparison(stage, incomparable: remark)
  }
  switch stage.group {
  case .tokens: return compareTokens(stage, try candidate.inputIDs(), try reference.inputIDs())
  case .pixels: return comparePixels(stage, try found.bytes.load(), try expected.bytes.load(), shape: found.shape)
  case .pixelValues:
    return StageComparison(
      stage, absolute: try expected.doubles(), try found.doubles(), items: reference.imageCount)
  case .logits:
    return StageComparison(
      stage, absolute: try expected.doubles(), try found.doubles(), scale: reference.logitScale,
      items: reference.imageCount)
  case .hidden, .embeddings:
    return StageComparison(
      stage, rows: StageRows(columns: rows.columns, counts: rows.counts, values: try expected.doubles()),
      StageRows(columns: rows.columns, counts: rows.counts, values: try found.doubles()))
  }
}

/// The error is the number of texts of which an id differs.
private func compareTokens(_ stage: Stage, _ candidate: [[Int32]], _ reference: [[Int32]]) -> StageComparison {
  var result = StageComparison(stage)
  for (text, (found, expected)) in zip(candidate, reference).enumerated() {
    result.count += expected.count
    let places = expected.indices.filter { found[$0] != expected[$0] }
    result.differing += places.count
    guard let place = places.first else { continue }
    result.error += 1
    guard result.remark == nil else { continue }
    result.remark = "text \(text), position \(place): \(found[place]), the reference has \(expected[place])"
    result.worstItem = text
  }
  return result
}

/// The error is the largest difference of levels.
private func comparePixels(
  _ stage: Stage, _ candidate: [UInt8], _ reference: [UInt8], shape: [Int]
) -> StageComparison {
  var result = StageComparison(stage)
  result.count = reference.count
  var (squares, distance) = (0, 0)
  for (index, (found, expected)) in zip(candidate, reference).enumerated() {
    let difference = abs(Int(found) - Int(expected))
    squares += Int(expected) * Int(expected)
    guard difference > 0 else { continue }
    distance += difference * difference
    if result.differing == 0 {
      let (pixel, channel) = (index / 3, index % 3)
      let (row, column) = (pixel / shape[2] % shape[1], pixel % shape[2])
      result.remark =
        "image \(pixel / shape[2] / shape[1]), row \(row), column \(column), \(["red", "green", "blue"][channel]): "
        + "\(found), the reference has \(expected)"
    }
    result.differing += 1
    if Double(difference) > result.maxAbsolute {
      result.maxAbsolute = Double(difference)
      result.worstItem = index / (3 * shape[1] * shape[2])
    }
  }
  result.error = result.maxAbsolute
  result.relative = distance == 0 ? 0 : (Double(distance) / Double(squares)).squareRoot()
  return result
}
