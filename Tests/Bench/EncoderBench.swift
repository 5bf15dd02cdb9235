import CLIPModels
import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One of the programs that tools/bench encode takes turns with.
///
/// For each line on standard input, `KIND BATCH RUNS` with a KIND of image, text or rows, it prints one line: the
/// milliseconds of each run, or the rows of a batch of each encoder.
struct EncoderBench {
  private let encoder: Encoder
  private let images: [PreparedImage]
  private let texts: [TokenSequence]

  /// `encode MODEL PICTURE PROMPTS THREADS`
  init(_ arguments: [String]) throws {
    guard let model = try CLIPModel.open(arguments[1]) else { throw FileError(.unsupported, "holds no CLIP") }
    let (preprocessor, tokenizer) = (try Preprocessor(model), try Tokenizer(model))
    let image = try preprocessor.prepare(Bytes(InputFile(arguments[2])), name: arguments[2])
    images = [PreparedImage](repeating: image, count: 32)
    texts = try PromptList(contentsOf: arguments[3]).prompts.map { try tokenizer.encode($0) }
    encoder = try Encoder(model, threads: Int(arguments[4]) ?? processorCount)
  }

  func answer() throws {
    print("ready")
    fflush(nil)
    while let line = readLine() {
      let words = line.split(separator: " ")
      print(try answer(words[0], Int(words[1]) ?? 1, Int(words[2]) ?? 1).joined(separator: " "))
      fflush(nil)
    }
  }

  private func answer(_ kind: Substring, _ batch: Int, _ runs: Int) throws -> [String] {
    let (images, texts) = (Array(images.prefix(batch)), Array(texts.prefix(batch)))
    guard kind != "rows" else {
      return try (encoder.encode(images: images) + encoder.encode(texts: texts)).map { "\($0)" }
    }
    return try (0..<runs).map { _ in
      let start = Bench.nanoseconds()
      _ = try kind == "image" ? encoder.encode(images: images) : encoder.encode(texts: texts)
      return "\(Double(Bench.nanoseconds() - start) * 1e-6)"
    }
  }
}
