import Checkpoints
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A line on stderr that shows how far a long run is: a bar with rate and time left on a terminal, a plain line every
/// 30 seconds elsewhere. Runs of less than half a second show nothing.
final class ProgressBar: Sendable {
  private struct State {
    var done = 0
    var lastDrawn: Double
    var hasDrawn = false
  }

  /// What is counted.
  enum Unit {
    case bytes
    /// Things, by their name in the singular.
    case items(String)
  }

  private let what: String
  private let unit: Unit
  private let isQuiet: Bool
  private let isTerminal: Bool
  private let start: Double
  private let state: Mutex<State>

  init(_ what: String, unit: Unit = .bytes, isQuiet: Bool) {
    self.what = what
    self.unit = unit
    self.isQuiet = isQuiet
    isTerminal = Output.isTerminal(2)
    start = Self.now()
    state = Mutex(State(lastDrawn: start))
  }

  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// Adds to what is done and draws when it is time.
  func add(_ amount: Int, of total: Int) {
    guard !isQuiet else { return }
    let now = Self.now()
    let line: String? = state.withLock { state in
      state.done += amount
      let interval = isTerminal ? (state.hasDrawn ? 0.1 : 0.5) : 30
      guard now - state.lastDrawn >= interval else { return nil }
      state.lastDrawn = now
      state.hasDrawn = true
      return text(done: min(state.done, total), total: total, elapsed: now - start)
    }
    guard let line else { return }
    Output.writeError(isTerminal ? "\r\u{1B}[K\(line)" : line + "\n")
  }

  private func text(done: Int, total: Int, elapsed: Double) -> String {
    let rate = Double(done) / max(elapsed, 1e-3)
    let left = rate > 0 ? Double(total - done) / rate : 0
    let percent = total > 0 ? done * 100 / total : 100
    let amounts =
      switch unit {
      case .bytes: "\(byteText(done)) of \(byteText(total))  \(byteText(Int(rate)))/s"
      case .items(let noun): "\(grouped(done)) of \(counted(total, noun))  \(decimal(rate, rate < 10 ? 1 : 0))/s"
      }
    let counts = "\(what) \(percent)%  \(amounts)  \(Int(left.rounded(.up))) s left"
    guard isTerminal else { return counts }
    let filled = percent / 5
    return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled) + "] " + counts
  }

  /// Removes the bar from the terminal, says something, and lets the bar come back.
  func interrupt(with text: String) {
    finish()
    Output.writeError(text)
  }

  /// Removes the bar from the terminal.
  func finish() {
    if isTerminal, state.withLock({ $0.hasDrawn }) { Output.writeError("\r\u{1B}[K") }
  }
}
