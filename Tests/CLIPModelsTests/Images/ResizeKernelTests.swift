import CImages
import TestSupport
import Testing

/// Every instruction set of this machine gives the bits of the reference, and writes nothing else.
@Test(arguments: 1..<max(2, Int(ci_level_count())), 1...4)
func resizePassesAgreeWithTheReference(_ level: Int, _ channels: Int) {
  guard level < Int(ci_level_count()) else { return }
  var random = SeededRandom(seed: UInt64(channels))
  for (input, outputs, taps) in [(1, 1, 4), (5, 9, 4), (40, 13, 12), (67, 21, 8), (130, 64, 16), (33, 100, 4)] {
    let rows = 7
    let pixels = (0..<(input * rows * channels)).map { _ in UInt8.random(in: 0...255, using: &random) }
    // Weights of any size, so that sums are clipped on both sides.
    let starts = (0..<outputs).map { _ in Int32.random(in: 0..<Int32(input), using: &random) }
    let counts = starts.map { Int32.random(in: 1...min(Int32(taps), Int32(input) - $0), using: &random) }
    let fixed = counts.flatMap { count in
      (0..<taps).map { $0 < Int(count) ? Int32.random(in: -(1 << 20)...(1 << 21), using: &random) : 0 }
    }
    let reference = passes(0, pixels, channels, rows, input, outputs, taps, starts, counts, fixed)
    #expect(passes(level, pixels, channels, rows, input, outputs, taps, starts, counts, fixed) == reference)
    #expect(Set(reference.across).count > 2 || input == 1)
  }
}

private struct Passes: Equatable {
  var across: [UInt8]
  var down: [UInt8]
}

/// Rows resized, and the same pixels taken for columns; a guard of 64 bytes after each output must stay.
private func passes(
  _ level: Int, _ pixels: [UInt8], _ channels: Int, _ rows: Int, _ input: Int, _ outputs: Int, _ taps: Int,
  _ starts: [Int32], _ counts: [Int32], _ fixed: [Int32]
) -> Passes {
  var across = [UInt8](repeating: 0xA5, count: outputs * rows * channels + 64)
  var down = across
  pixels.withUnsafeBufferPointer { pixels in
    starts.withUnsafeBufferPointer { starts in
      counts.withUnsafeBufferPointer { counts in
        fixed.withUnsafeBufferPointer { fixed in
          var weights = ci_weights(
            outputs: outputs, taps: taps, starts: starts.baseAddress!, counts: counts.baseAddress!,
            fixed: fixed.baseAddress, exact: nil)
          let start = pixels.baseAddress!
          ci_resize_rows(
            Int32(level), start, input * channels, start + pixels.count, &across, rows, Int32(channels), &weights)
          ci_resize_columns(Int32(level), start, &down, rows * channels, &weights)
        }
      }
    }
  }
  #expect(across.suffix(64).allSatisfy { $0 == 0xA5 })
  #expect(down.suffix(64).allSatisfy { $0 == 0xA5 })
  return Passes(across: across, down: down)
}
