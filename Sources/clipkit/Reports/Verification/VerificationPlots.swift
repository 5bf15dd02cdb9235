import CLIPModels

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The drawings of a verification.
struct VerificationPlots {
  let result: Verification
  let tolerances: Tolerances

  private static let top = 16.0
  private static let bottom = 216.0
  private static let left = 64.0

  /// The error of each stage and what is allowed, on a logarithmic scale; none at the bottom, infinite at the top.
  var errors: String {
    let stages = result.stages
    let step = max(18, min(44, 760 / Double(max(1, stages.count))))
    let right = Self.left + step * Double(stages.count)
    let limits = stages.map { tolerances.limit(for: $0.stage) }
    let scale = LogarithmicScale(stages.map(\.error) + limits, from: Self.bottom - 16, to: Self.top + 12)
    var svg = SVG(width: right + 12, height: Self.bottom + 112, title: "Error by stage")
    for (index, comparison) in stages.enumerated() where comparison.stage.isAboutText {
      svg.rectangle(Self.left + step * Double(index), Self.top, step, Self.bottom - Self.top, "band")
    }
    for (exponent, y) in scale.decades {
      svg.line(Self.left, y, right, y, "grid")
      svg.label(Self.left - 8, y + 4, "1e\(exponent)", anchor: "end")
    }
    svg.line(Self.left, Self.bottom, right, Self.bottom, "axis")
    svg.label(Self.left - 8, Self.bottom + 4, "0", anchor: "end")
    for (index, comparison) in stages.enumerated() {
      let x = Self.left + step * (Double(index) + 0.5)
      let y = place(comparison.error, scale)
      let limit = place(limits[index], scale)
      let tip =
        "\(comparison.stage): error \(scientific(comparison.error)), allowed \(scientific(limits[index]))"
        + (comparison.remark.map { "; \($0)" } ?? "")
      svg.line(x, Self.bottom, x, y, "stem")
      svg.line(x - step * 0.4, limit, x + step * 0.4, limit, "limit")
      svg.dot(x, y, tolerances.accepts(comparison) ? "good" : "bad", tip: tip)
      svg.label(x + 4, Self.bottom + 16, comparison.stage.name, anchor: "end", isTurned: true)
    }
    return svg.element
  }

  private func place(_ value: Double, _ scale: LogarithmicScale) -> Double {
    value == 0 ? Self.bottom : value.isFinite ? scale.place(value) : Self.top
  }

  /// How many embeddings have which 1 - cosine: half a decade a bar, what is equal at the left. Nil without any.
  var cosines: String? {
    let series = ["image_embeds", "text_embeds"].map { name in
      // Of rows of length 1 at distance e: 1 - cosine = e² / 2.
      result.stages.first { $0.stage.name == name }?.itemErrors.map { $0 * $0 / 2 } ?? []
    }
    let bins = series.map { $0.map(Self.bin) }
    guard let first = bins.joined().min(), let last = bins.joined().max() else { return nil }
    let lowest = min(first, last - 5)
    let counts = bins.map { bins in (lowest...last).map { bin in bins.count { $0 == bin } } }
    let most = Double(max(1, counts.joined().max() ?? 1))
    let step = max(26, min(48, 760 / Double(last - lowest + 1)))
    let right = Self.left + step * Double(last - lowest + 1)
    var svg = SVG(width: right + 12, height: Self.bottom + 44, title: "Distribution of cosines")
    for share in [0, 0.5, 1] where (most * share).rounded() == most * share {
      let y = Self.bottom - (Self.bottom - Self.top) * share
      svg.line(Self.left, y, right, y, share == 0 ? "axis" : "grid")
      svg.label(Self.left - 8, y + 4, decimal(most * share, 0), anchor: "end")
    }
    for bin in lowest...last {
      let x = Self.left + step * Double(bin - lowest)
      for (index, style) in ["images", "texts"].enumerated() {
        let count = counts[index][bin - lowest]
        guard count > 0 else { continue }
        let height = (Self.bottom - Self.top) * Double(count) / most
        let tip = "\(counted(count, index == 0 ? "image" : "text")): 1 - cosine \(Self.range(bin))"
        svg.rectangle(
          x + 3 + Double(index) * (step / 2 - 3), Self.bottom - height, step / 2 - 3, height, style, tip: tip)
      }
      if bin % 2 == 0 || bin == Self.equalBin {
        svg.label(bin == Self.equalBin ? x + step / 2 : x, Self.bottom + 18, Self.edge(bin))
      }
    }
    return svg.element
  }

  /// Below 1e-16 a double does not tell 1 - cosine from nothing.
  private static let equalBin = -33

  private static func bin(_ value: Double) -> Int {
    value < 1e-16 ? equalBin : value.isFinite ? min(1, Int((2 * log10(value)).rounded(.down))) : 1
  }

  private static func edge(_ bin: Int) -> String { bin == equalBin ? "equal" : "1e\(bin / 2)" }

  private static func range(_ bin: Int) -> String {
    bin == equalBin
      ? "below 1e-16" : "\(scientific(pow(10, Double(bin) / 2))) to \(scientific(pow(10, Double(bin + 1) / 2)))"
  }
}

/// Whole decades that hold some positive numbers.
struct LogarithmicScale {
  private let low: Int
  private let high: Int
  private let start: Double
  private let end: Double

  /// From the place of the lowest decade to that of the highest.
  init(_ values: [Double], from start: Double, to end: Double) {
    let logarithms = values.filter { $0 > 0 && $0.isFinite }.map { max(-18, min(18, log10($0))) }
    low = Int((logarithms.min() ?? -1).rounded(.down))
    high = max(low + 1, Int((logarithms.max() ?? 0).rounded(.up)))
    (self.start, self.end) = (start, end)
  }

  func place(_ value: Double) -> Double {
    let part = (max(-18, min(18, log10(value))) - Double(low)) / Double(high - low)
    return start + (end - start) * part
  }

  /// Decades that get a line, ten at most, and their places.
  var decades: [(exponent: Int, place: Double)] {
    let step = (high - low + 9) / 10
    return stride(from: low, through: high, by: max(1, step)).map { exponent in
      (exponent, start + (end - start) * Double(exponent - low) / Double(high - low))
    }
  }
}
