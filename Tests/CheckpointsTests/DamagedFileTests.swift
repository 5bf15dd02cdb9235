import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Laws that a new format enters by its line in `allFormats`, and a new fixture by lying in its folder.

/// Every model file in `Fixtures/checkpoints`.
private let fixtureFiles: [String] = {
  let endings = allFormats.flatMap { $0.fileExtensions }
  func files(_ folder: String) -> [String] {
    ((try? OutputDirectory.entries(of: fixture(folder))) ?? []).flatMap { entry in
      let path = "\(folder)/\(entry)"
      if isDirectory(fixture(path)) { return files(path) }
      return endings.contains { entry.hasSuffix(".\($0)") } ? [path] : []
    }
  }
  return files("checkpoints")
}()

/// A small file of a format: two tensors and a word of metadata.
private func writeSmall(_ name: String, in directory: TemporaryDirectory) throws -> String {
  let format = try #require(allFormats.first { $0.name == name })
  var checkpoint = Checkpoint()
  try checkpoint.add(Tensor(dtype: .f32, shape: [2, 3], bytes: Bytes([UInt8](1...24))), named: "a.weight")
  try checkpoint.add(Tensor(dtype: .f16, shape: [2], bytes: Bytes([1, 2, 3, 4])), named: "b")
  checkpoint.metadata["general.name"] = .string("small")
  let path = directory.file("small")
  let writer = try FileWriter(path)
  try format.write(checkpoint, to: writer)
  try writer.commit()
  return path
}

/// What reading a file and all its tensors comes to.
private func read(_ path: String) -> Result<[String: [UInt8]], FileError> {
  do throws(FileError) {
    let checkpoint = try Checkpoint.open(path)
    var tensors: [String: [UInt8]] = [:]
    for name in checkpoint.names { tensors[name] = try checkpoint[name]?.bytes.load() }
    return .success(tensors)
  } catch {
    return .failure(error)
  }
}

/// An error in the file's bytes, with a file's name (a part of a split may name its sibling), and in one line.
private func isRefusal(_ error: FileError, in directory: TemporaryDirectory) -> Bool {
  [.truncated, .malformed, .unsupported, .mismatch].contains(error.kind)
    && error.file?.hasPrefix(directory.path) == true && !"\(error)".contains("\n")
}

/// GGUF's padding after its last tensor is no data, and may be missing.
private func isPadding(_ missing: Int, _ path: String) -> Bool {
  missing < 32 && (try? GGUF.matches(InputFile(path))) == true
}

@Test(arguments: allFormats.map { $0.name })
func everyCutOfASmallFileIsRefused(_ format: String) throws {
  let directory = try TemporaryDirectory()
  let path = try writeSmall(format, in: directory)
  let size = try InputFile(path).count
  guard case .success(let whole) = read(path) else { throw FileError(.io, "not read", file: path) }
  for length in (0..<size).reversed() {
    #expect(truncate(path, off_t(length)) == 0)
    switch read(path) {
    case .failure(let error): #expect(isRefusal(error, in: directory), "cut at \(length): \(error)")
    case .success(let tensors): #expect(isPadding(size - length, path) && tensors == whole, "cut at \(length)")
    }
  }
}

@Test(arguments: allFormats.map { $0.name })
func everyBitFlipOfASmallFileIsRefusedOrRead(_ format: String) throws {
  let directory = try TemporaryDirectory()
  let path = try writeSmall(format, in: directory)
  let descriptor = open(path, O_RDWR | O_CLOEXEC)
  defer { close(descriptor) }
  for offset in 0..<(try InputFile(path).count) {
    var byte: UInt8 = 0
    #expect(pread(descriptor, &byte, 1, off_t(offset)) == 1)
    for bit in 0..<8 {
      var flipped = byte ^ 1 << bit
      pwrite(descriptor, &flipped, 1, off_t(offset))
      if case .failure(let error) = read(path) {
        #expect(isRefusal(error, in: directory), "bit \(bit) of byte \(offset): \(error)")
      }
    }
    pwrite(descriptor, &byte, 1, off_t(offset))
  }
}

@Test(arguments: fixtureFiles)
func cutsOfAFixtureAreRefused(_ name: String) throws {
  let directory = try TemporaryDirectory()
  let bytes = try fixtureBytes(name)
  let path = try directory.write(bytes, to: lastComponent(of: name))
  var random = SeededRandom(seed: 9)
  let cuts = (0..<40).map { _ in Int.random(in: 0..<bytes.count, using: &random) } + [0, bytes.count - 33]
  for length in Set(cuts).sorted(by: >) {
    #expect(truncate(path, off_t(length)) == 0)
    switch read(path) {
    case .failure(let error): #expect(isRefusal(error, in: directory), "cut at \(length): \(error)")
    case .success: #expect(isPadding(bytes.count - length, path), "cut at \(length)")
    }
  }
}

@Test(arguments: fixtureFiles, [1, 1 << 20])
func bytesAfterTheEndAreRefused(_ name: String, count: Int) throws {
  let directory = try TemporaryDirectory()
  let bytes = try fixtureBytes(name) + [UInt8](repeating: 0xA5, count: count)
  let path = try directory.write(bytes, to: lastComponent(of: name))
  guard case .failure(let error) = read(path) else {
    Issue.record("\(count) more bytes were read")
    return
  }
  #expect(isRefusal(error, in: directory), "\(error)")
}

/// What is read late fails late, whatever lies between the tensor and the file: a view, an inflated entry, a cast.
@Test(arguments: fixtureFiles)
func aFileThatShrinksAfterOpeningIsAnIOError(_ name: String) throws {
  let directory = try TemporaryDirectory()
  let path = try directory.write(fixtureBytes(name), to: lastComponent(of: name))
  // A part of a split is nothing without the others, and of two models one has to be chosen.
  guard let checkpoint = try? Checkpoint.open(path) else {
    return #expect(name.contains("split-") || name.hasSuffix("two.pt"))
  }
  #expect(truncate(path, 0) == 0)
  for tensor in checkpoint.names where checkpoint[tensor]?.bytes.count != 0 {
    let error = #expect(throws: FileError.self) { try checkpoint[tensor]?.bytes.load() }
    #expect(error?.kind == .io && error?.file == path, "\(tensor): \(String(describing: error))")
  }
}
