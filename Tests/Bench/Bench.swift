import CLIPModels
import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

// What tools/bench measures that no verb runs alone; it exists in the package only when CLIPKIT_BENCH is set.

@main
struct Bench {
  static func main() throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments.first == "images", arguments.count > 3 { return try images(Array(arguments.dropFirst())) }
    if arguments.first == "encode", arguments.count == 5 { return try EncoderBench(arguments).answer() }
    if arguments.first == "evaluate", arguments.count == 6 { return try EvaluatorBench(arguments).answer() }
    print(
      "usage: Bench images MODEL RUNS PICTURE … | Bench encode MODEL PICTURE PROMPTS THREADS | "
        + "Bench evaluate MODEL INPUTS OUTPUTS THREADS RUNS")
    exit(64)
  }

  /// Prints the fastest and the median of RUNS times that a model's preprocessor takes for each picture, in
  /// microseconds.
  private static func images(_ arguments: [String]) throws {
    guard let runs = Int(arguments[1]), let model = try CLIPModel.open(arguments[0]) else { exit(64) }
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

  /// The clock, from some moment on.
  static func nanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}
