public import Checkpoints

/// How far a candidate may be from the reference, stage by stage: a profile, and what a user says otherwise.
public struct Tolerances: Sendable, Equatable {
  /// What the candidate is expected to be.
  public enum Profile: String, Sendable, CaseIterable {
    /// The same weights in another file, or another implementation in single precision.
    case f32
    /// Weights of 16 bits.
    case f16
    /// Weights, or weights and activations, of 8 bits.
    case int8

    /// Embeddings' limits are those of cosines of 1 - 2·10⁻¹⁰, 0.9999 and 0.99: 2 (1 - cosine) is the squared distance.
    func limit(for group: Stage.Group) -> Double {
      let limits: [Double] =
        switch group {
        case .tokens, .pixels: [0, 0, 0]
        case .pixelValues: [1e-6, 2e-3, 2e-3]
        case .hidden: [1e-4, 0.03, 0.3]
        case .embeddings: [2e-5, 0.01414, 0.1414]
        case .logits: [4e-5, 0.02828, 0.2828]
        }
      return limits[self == .f32 ? 0 : self == .f16 ? 1 : 2]
    }
  }

  /// The profile.
  public let profile: Profile
  /// Other limits, by the name of a stage or of a group of stages.
  public private(set) var others: [String: Double] = [:]

  /// Those of a profile.
  public init(_ profile: Profile) { self.profile = profile }

  /// Those that a saved result was judged by, or those of another profile.
  public init(saved json: JSONValue, profile: Profile?) throws(FileError) {
    guard let name = json["profile"]?.string, let saved = Profile(rawValue: name),
      let limits = json["tolerances"]?.object
    else { throw FileError(.malformed, "saved result: profile or tolerances are not what they must be") }
    self.init(profile ?? saved)
    guard profile == nil else { return }
    for name in limits.keys {
      guard let limit = limits[name]?.number else {
        throw FileError(.malformed, "saved result: tolerance of '\(escaped(name))' is not a number")
      }
      try set(name, limit)
    }
  }

  /// Sets a limit for a stage (`image.blocks.3`) or for all stages of a group (`hidden`).
  public mutating func set(_ name: String, _ limit: Double) throws(FileError) {
    guard Stage(name) != nil || Stage.Group(rawValue: name) != nil else {
      let groups = Stage.Group.allCases.map(\.rawValue).joined(separator: ", ")
      throw FileError(
        .usage, "no stage is called '\(escaped(name))'",
        hint: "Stages are those of the report (image.blocks.0); groups of them are \(groups)")
    }
    guard limit >= 0, limit.isFinite else {
      throw FileError(.usage, "tolerance \(limit) of '\(name)', allowed are numbers from 0")
    }
    others[name] = limit
  }

  /// The largest error of a stage that is accepted: its own limit, that of its group, or the profile's.
  public func limit(for stage: Stage) -> Double {
    others[stage.name] ?? others[stage.group.rawValue] ?? profile.limit(for: stage.group)
  }

  /// Whether a stage is accepted.
  public func accepts(_ comparison: StageComparison) -> Bool { comparison.error <= limit(for: comparison.stage) }
}
