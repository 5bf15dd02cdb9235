import CLIPModels
import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

// `tools/bench images` builds and runs this; it exists in the package only when CLIPKIT_BENCH is set.

/// Prints the fastest and the median of RUNS times that a model's preprocessor takes for each picture, in
/// microseconds: MODEL RUNS PICTURE …
@main
struct Bench {
  static func main() throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard arguments.count > 2, let runs = Int(arguments[1]), let model = try CLIPModel.open(arguments[0]) else {
      print("usage: Bench MODEL RUNS PICTURE …")
      exit(64)
    }
    let preprocessor = try Preprocessor(model)
    for path in arguments.dropFirst(2) {
      let file = Bytes(try Bytes(InputFile(path)).load())
      let planes = UnsafeMutablePointer<Float>.allocate(capacity: 3 * preprocessor.size * preprocessor.size)
      defer { planes.deallocate() }
      let times = try (0..<runs).map { _ in
        let start = nanoseconds()
        try preprocessor.prepare(file, name: path).normalized(into: planes)
        return nanoseconds() - start
      }.sorted()
      print(path, Double(times[0]) / 1000, Double(times[runs / 2]) / 1000)
    }
  }

  private static func nanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}
