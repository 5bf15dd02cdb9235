public import Checkpoints

extension Verification {
  /// The result as JSON, judged by these tolerances: `formats/verification.md`.
  public func json(_ tolerances: Tolerances) -> JSONValue {
    var limits = JSONObject()
    for name in tolerances.others.keys.sorted() { limits[name] = tolerances.others[name].map { JSONValue($0) } }
    let departure = firstDeparture(tolerances)
    var object: JSONObject = [
      "schema": 1, "verification": 1, "passed": .bool(departure == nil),
      "first_departure": JSONValue(departure?.stage.name), "reference": reference.json, "candidate": candidate.json,
      "profile": .string(tolerances.profile.rawValue), "tolerances": .object(limits),
      "images": .array(imageNames.map(JSONValue.string)), "prompts": .array(prompts.map(JSONValue.string)),
      "notes": .array(notes.map(JSONValue.string)), "stages": .array(stages.map { $0.json(tolerances) }),
    ]
    if let ranking { object["ranking"] = ranking.json }
    if let pairs { object["pairs"] = ["reference": pairs.reference.json, "candidate": pairs.candidate.json] }
    return .object(object)
  }

  /// Reads a saved result.
  public init(_ json: JSONValue) throws(FileError) {
    let reader = SavedResult(json, "result")
    guard try reader.integer("verification") == 1 else {
      throw FileError(.unsupported, "saved result of another version, known is 1")
    }
    try self.init(reference: Side(reader.member("reference")), candidate: Side(reader.member("candidate")))
    imageNames = try reader.strings("images")
    prompts = try reader.strings("prompts")
    notes = try reader.strings("notes")
    for stage in try reader.members("stages") { stages.append(try StageComparison(stage)) }
    if let ranking = try reader.optional("ranking") { self.ranking = try RankingAgreement(ranking) }
    if let pairs = try reader.optional("pairs") {
      self.pairs = try Pairs(
        reference: PairScores(pairs.member("reference")), candidate: PairScores(pairs.member("candidate")))
    }
    try checkItems()
  }

  /// The items that stages speak of are those that there are.
  private func checkItems() throws(FileError) {
    for comparison in stages {
      let count = comparison.stage.isAboutText ? prompts.count : imageNames.count
      let errors = comparison.itemErrors.count
      guard errors == 0 || errors == count, comparison.worstItem.map({ (0..<count).contains($0) }) ?? true else {
        throw FileError(.malformed, "saved result: \(comparison.stage) speaks of other images or texts than there are")
      }
    }
  }
}

/// One object of a saved result; errors say which member is not what it must be.
private struct SavedResult {
  private let json: JSONValue
  private let name: String

  init(_ json: JSONValue, _ name: String) { (self.json, self.name) = (json, name) }

  private func error(_ key: String, _ what: String) -> FileError {
    FileError(.malformed, "saved result: \(key) of \(name) is not \(what)")
  }

  func integer(_ key: String) throws(FileError) -> Int {
    guard let value = json[key]?.integer else { throw error(key, "a whole number") }
    return value
  }

  func count(_ key: String) throws(FileError) -> Int {
    let value = try integer(key)
    guard value >= 0 else { throw error(key, "a count") }
    return value
  }

  func number(_ key: String) throws(FileError) -> Double {
    guard let value = json[key]?.number, value.isFinite else { throw error(key, "a number") }
    return value
  }

  /// Null stands for what JSON cannot say: infinity.
  func error(_ key: String) throws(FileError) -> Double { json[key] == .null ? .infinity : try number(key) }

  func optionalNumber(_ key: String) throws(FileError) -> Double? {
    json[key] == nil || json[key] == .null ? nil : try number(key)
  }

  func optionalCount(_ key: String) throws(FileError) -> Int? {
    json[key] == nil || json[key] == .null ? nil : try count(key)
  }

  func string(_ key: String) throws(FileError) -> String {
    guard let value = json[key]?.string else { throw error(key, "a text") }
    return value
  }

  func optionalString(_ key: String) throws(FileError) -> String? {
    json[key] == nil || json[key] == .null ? nil : try string(key)
  }

  func strings(_ key: String) throws(FileError) -> [String] {
    let values = (json[key]?.array ?? []).compactMap(\.string)
    guard values.count == json[key]?.array?.count else { throw error(key, "a list of texts") }
    return values
  }

  func errors(_ key: String) throws(FileError) -> [Double] {
    let values = (json[key]?.array ?? []).compactMap { $0 == .null ? .infinity : $0.number }
    guard values.count == json[key]?.array?.count ?? 0 else { throw error(key, "a list of numbers") }
    return values
  }

  func member(_ key: String) throws(FileError) -> SavedResult {
    guard let value = json[key], value.object != nil else { throw error(key, "an object") }
    return SavedResult(value, key)
  }

  func optional(_ key: String) throws(FileError) -> SavedResult? {
    json[key] == nil || json[key] == .null ? nil : try member(key)
  }

  func members(_ key: String) throws(FileError) -> [SavedResult] {
    guard let values = json[key]?.array, values.allSatisfy({ $0.object != nil }) else {
      throw error(key, "a list of objects")
    }
    return values.enumerated().map { SavedResult($1, "\(key)[\($0)]") }
  }
}

extension Verification.Side {
  fileprivate var json: JSONValue { ["model": .string(model), "producer": .string(producer)] }

  fileprivate init(_ saved: SavedResult) throws(FileError) {
    try self.init(model: saved.string("model"), producer: saved.string("producer"))
  }
}

extension StageComparison {
  fileprivate func json(_ tolerances: Tolerances) -> JSONValue {
    var object: JSONObject = [
      "stage": .string(stage.name), "group": .string(stage.group.rawValue), "error": JSONValue(error),
      "tolerance": JSONValue(tolerances.limit(for: stage)), "passed": .bool(tolerances.accepts(self)),
      "remark": JSONValue(remark), "differing": JSONValue(differing), "count": JSONValue(count),
      "max_absolute": JSONValue(maxAbsolute), "relative": JSONValue(relative),
    ]
    if let cosine { object["cosine"] = cosine.json }
    if let centredCosine { object["centred_cosine"] = centredCosine.json }
    if let worstItem { object["worst_item"] = JSONValue(worstItem) }
    if !itemErrors.isEmpty { object["item_errors"] = .array(itemErrors.map { JSONValue($0) }) }
    return .object(object)
  }

  fileprivate init(_ saved: SavedResult) throws(FileError) {
    let name = try saved.string("stage")
    guard let stage = Stage(name) else {
      throw FileError(.malformed, "saved result: no stage is called '\(escaped(name))'")
    }
    self.init(stage)
    error = try saved.error("error")
    remark = try saved.optionalString("remark")
    differing = try saved.count("differing")
    count = try saved.count("count")
    maxAbsolute = try saved.error("max_absolute")
    relative = try saved.error("relative")
    cosine = try saved.optional("cosine").map { (saved) throws(FileError) in try Distribution(saved) }
    centredCosine = try saved.optional("centred_cosine").map { (saved) throws(FileError) in try Distribution(saved) }
    worstItem = try saved.optionalCount("worst_item")
    itemErrors = try saved.errors("item_errors")
  }
}

extension Distribution {
  fileprivate var json: JSONValue {
    [
      "min": JSONValue(min), "percentile_1": JSONValue(percentile1), "percentile_5": JSONValue(percentile5),
      "median": JSONValue(median), "mean": JSONValue(mean),
    ]
  }

  fileprivate init(_ saved: SavedResult) throws(FileError) {
    try self.init(
      min: saved.number("min"), percentile1: saved.number("percentile_1"), percentile5: saved.number("percentile_5"),
      median: saved.number("median"), mean: saved.number("mean"))
  }
}

/// A number or null.
private func json(_ number: Double?) -> JSONValue { number.map { JSONValue($0) } ?? .null }

extension RankingAgreement {
  fileprivate var json: JSONValue {
    [
      "top1": JSONValue(top1), "top5": CLIPModels.json(top5), "spearman_mean": CLIPModels.json(spearmanMean),
      "spearman_min": CLIPModels.json(spearmanMin),
    ]
  }

  fileprivate init(_ saved: SavedResult) throws(FileError) {
    try self.init(
      top1: saved.number("top1"), top5: saved.optionalNumber("top5"),
      spearmanMean: saved.optionalNumber("spearman_mean"), spearmanMin: saved.optionalNumber("spearman_min"))
  }
}

extension PairScores {
  fileprivate var json: JSONValue {
    [
      "image_to_text_1": JSONValue(imageToText1), "image_to_text_5": CLIPModels.json(imageToText5),
      "text_to_image_1": JSONValue(textToImage1), "text_to_image_5": CLIPModels.json(textToImage5),
      "loss": JSONValue(loss),
    ]
  }

  fileprivate init(_ saved: SavedResult) throws(FileError) {
    try self.init(
      imageToText1: saved.number("image_to_text_1"), imageToText5: saved.optionalNumber("image_to_text_5"),
      textToImage1: saved.number("text_to_image_1"), textToImage5: saved.optionalNumber("text_to_image_5"),
      loss: saved.number("loss"))
  }
}
