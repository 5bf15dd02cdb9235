/// The filters of Pillow's resize.
public enum ResizeFilter: String, Sendable, CaseIterable {
  case nearest, box, bilinear, bicubic

  /// How far the filter reaches, in input pixels at scale 1.
  fileprivate var support: Double {
    switch self {
    case .nearest: 0
    case .box: 0.5
    case .bilinear: 1
    case .bicubic: 2
    }
  }

  /// The filter at distance `x`. The order of operations is Pillow's, so that every bit of the result is.
  fileprivate func weight(_ x: Double) -> Double {
    let distance = abs(x)
    switch self {
    case .nearest: return 0
    case .box: return x > -0.5 && x <= 0.5 ? 1 : 0
    case .bilinear: return distance < 1 ? 1 - distance : 0
    case .bicubic:
      let a = -0.5
      if distance < 1 { return ((a + 2) * distance - (a + 3)) * distance * distance + 1 }
      if distance < 2 { return (((distance - 5) * distance + 8) * distance - 4) * a }
      return 0
    }
  }
}

/// The weights of one pass, for the outputs that are kept.
struct ResizeWeights {
  let outputs: Int
  /// Entries for each output in `fixed` or `exact`; those after `counts` are zero.
  let taps: Int
  /// The first input of each output.
  private(set) var starts: [Int32]
  private(set) var counts: [Int32]
  /// For samples of 8 bits: 22 bits after the point.
  private(set) var fixed: [Int32] = []
  /// For samples of 16 bits.
  private(set) var exact: [Double] = []

  /// Pillow's `precompute_coeffs` from `input` pixels to `output`, of which those in `kept` are computed.
  init(input: Int, output: Int, kept: Range<Int>, filter: ResizeFilter, isExact: Bool) {
    // Pillow keeps the input's length in single precision.
    let scale = Double(Float(input)) / Double(output)
    let filterScale = max(scale, 1)
    let support = filter.support * filterScale
    outputs = kept.count
    taps = (Int(support.rounded(.up)) * 2 + 1 + 3) & ~3
    starts = []
    counts = []
    var line = [Double](repeating: 0, count: taps)
    for index in kept {
      let center = (Double(index) + 0.5) * scale
      let start = max(0, Int(center - support + 0.5))
      let count = min(input, Int(center + support + 0.5)) - start
      var sum = 0.0
      for tap in 0..<taps {
        let value = tap < count ? filter.weight((Double(tap + start) - center + 0.5) * (1 / filterScale)) : 0
        line[tap] = value
        sum += value
      }
      if sum != 0 { for tap in 0..<count { line[tap] /= sum } }
      starts.append(Int32(start))
      counts.append(Int32(count))
      if isExact {
        exact += line
      } else {
        for weight in line { fixed.append(Int32((weight < 0 ? -0.5 : 0.5) + weight * Double(1 << 22))) }
      }
    }
  }

  /// The inputs that the outputs need.
  var inputs: Range<Int> {
    let start = starts.min() ?? 0
    return Int(start)..<Int(zip(starts, counts).map { $0 + $1 }.max() ?? start)
  }

  /// The same weights for inputs of which the first `offset` are gone.
  func shifted(by offset: Int) -> ResizeWeights {
    var copy = self
    copy.starts = starts.map { $0 - Int32(offset) }
    return copy
  }
}
