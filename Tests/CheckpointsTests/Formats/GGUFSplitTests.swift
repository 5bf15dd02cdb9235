import Checkpoints
import TestSupport
import Testing

/// Files of a split: those of the fixture are gguf-py's, renamed and changed here.
@Suite struct GGUFSplitTests {
  private static let names = (1...3).map { "split-0000\($0)-of-00003.gguf" }

  /// A directory with the three files under these names.
  private func copies(as names: [String?] = Self.names.map(Optional.init)) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    for (source, name) in zip(Self.names, names) {
      if let name { try directory.write(fixtureBytes("checkpoints/gguf/\(source)"), to: name) }
    }
    return directory
  }

  private func read(_ path: String) throws -> Checkpoint {
    try GGUF.read(InputFile(path), options: ReadOptions())
  }

  @Test func allFilesAreOneCheckpoint() throws {
    let checkpoint = try read(fixture("checkpoints/gguf/\(Self.names[0])"))
    #expect(checkpoint.names == ["w0", "w1", "w2", "w3", "w4"])
    #expect(checkpoint.names.map { checkpoint[$0]?.shape } == (0..<5).map { [$0 + 1, 2] })
    #expect(checkpoint.metadata.keys == ["general.architecture", "test.key"])
    #expect(checkpoint.formatDetail == "version 3, 3 files")
    #expect(checkpoint.files.map { lastComponent(of: $0.path) } == Self.names)
    // The last tensor of the last file, read from that file: its data are the 40 bytes before the padding.
    let last = try fixtureBytes("checkpoints/gguf/\(Self.names[2])")
    #expect(try checkpoint["w4"]?.bytes.load() == Array(last.suffix(64).prefix(40)))
  }

  @Test func directoryOfPartsIsOneCheckpoint() throws {
    let directory = try copies()
    let names = try withExtendedLifetime(directory) { try Checkpoint.open(directory.path).names }
    #expect(names == ["w0", "w1", "w2", "w3", "w4"])
  }

  @Test func missingFileIsNamed() throws {
    let directory = try copies(as: [Self.names[0], nil, Self.names[2]])
    let error = #expect(throws: FileError.self) { try read(directory.file(Self.names[0])) }
    #expect(error?.message == "part 'split-00002-of-00003.gguf' of the split is missing")
    #expect(error?.kind == .mismatch)
    #expect(error?.file == directory.file(Self.names[1]))
  }

  @Test func laterFilesSayWhichToOpen() throws {
    let error = #expect(throws: FileError.self) { try read(fixture("checkpoints/gguf/\(Self.names[1])")) }
    #expect(error?.message == "part 2 of 3 of a split, allowed is the first")
    #expect(error?.hint == "Open 'split-00001-of-00003.gguf'")
  }

  @Test func filesNeedTheirNames() throws {
    let directory = try copies(as: ["model.gguf", Self.names[1], Self.names[2]])
    let error = #expect(throws: FileError.self) { try read(directory.file("model.gguf")) }
    #expect(
      error?.message == "part 1 of 3 of a split, but the name does not end in '-00001-of-00003.gguf'")
  }

  @Test func filesInTheWrongPlace() throws {
    let directory = try copies(as: [Self.names[0], Self.names[2], Self.names[1]])
    let error = #expect(throws: FileError.self) { try read(directory.file(Self.names[0])) }
    #expect(error?.message == "is not part 2 of 3 of the same split")
    #expect(error?.file == directory.file(Self.names[1]))
  }

  @Test func fileOfAnotherModel() throws {
    let directory = try copies()
    try directory.write(part(number: 1, of: 3, tensors: 6).bytes, to: Self.names[1])
    let error = #expect(throws: FileError.self) { try read(directory.file(Self.names[0])) }
    #expect(error?.message == "is not part 2 of 3 of the same split")
    try directory.write(GGUFReaderTests.plain.bytes, to: Self.names[1])
    let whole = #expect(throws: FileError.self) { try read(directory.file(Self.names[0])) }
    #expect(whole?.message == "is not part 2 of 3 of the same split")
  }

  @Test func strangersBesideTheParts() throws {
    let directory = try copies()
    try directory.write([1], to: "other-00004-of-00003.gguf")
    try directory.write([1], to: "split-00004-of-00003.safetensors")
    #expect(try read(directory.file(Self.names[0])).notes.isEmpty)
    // Of another set: it may lie there, and is told.
    try directory.write([1], to: "split-00002-of-00005.gguf")
    #expect(
      try read(directory.file(Self.names[0])).notes == [
        "'split-00002-of-00005.gguf' beside it is of another set of parts"
      ])
    try directory.write([1], to: "split-00004-of-00003.gguf")
    let error = #expect(throws: FileError.self) { try read(directory.file(Self.names[0])) }
    #expect(error?.kind == .mismatch)
    #expect(error?.message == "'split-00004-of-00003.gguf' lies beside the 3 parts and is none of them")
  }

  /// A file of a split that holds the tensor `name`.
  private func part(number: UInt16, of count: UInt16, tensors: Int32, name: String = "x") -> GGUFBuilder {
    GGUFBuilder().adding("split.no", 2, little(number)).adding("split.count", 2, little(count))
      .adding("split.tensors.count", 5, little(tensors)).adding(tensor: name, [4]).with(data: [UInt8](1...16))
  }

  private func readParts(_ parts: [GGUFBuilder]) throws -> Checkpoint {
    let directory = try TemporaryDirectory()
    for (index, part) in parts.enumerated() {
      try directory.write(part.bytes, to: "a-0000\(index + 1)-of-0000\(parts.count).gguf")
    }
    return try read(directory.file("a-00001-of-0000\(parts.count).gguf"))
  }

  @Test func tensorsInTwoFiles() throws {
    let parts = [part(number: 0, of: 2, tensors: 2), part(number: 1, of: 2, tensors: 2)]
    let error = #expect(throws: FileError.self) { try readParts(parts) }
    #expect(error?.message == "two tensors have this name")
    #expect(error?.tensor == "x")
  }

  @Test(arguments: [1, 3]) func anotherNumberOfTensors(promised: Int32) throws {
    let parts = [part(number: 0, of: 2, tensors: promised), part(number: 1, of: 2, tensors: promised, name: "y")]
    let error = #expect(throws: FileError.self) { try readParts(parts) }
    #expect(error?.message == "2 tensors in 2 files, split.tensors.count says \(promised)")
  }

  @Test func keysOfLaterFiles() throws {
    let first = part(number: 0, of: 2, tensors: 2).adding("k", 4, little(UInt32(1)))
    let second = part(number: 1, of: 2, tensors: 2, name: "y")
    let joined = try readParts([first, second.adding("l", 4, little(UInt32(2)))])
    #expect(joined.metadata["k"] == .uint32(1))
    #expect(joined.metadata["l"] == .uint32(2))
    let error = #expect(throws: FileError.self) { try readParts([first, second.adding("k", 4, little(UInt32(2)))]) }
    #expect(error?.message == "metadata 'k' differs from the first file's")
  }

  @Test func splitOfOneIsComplete() throws {
    for count in [0, 1] as [UInt16] {
      let checkpoint = try part(number: 0, of: count, tensors: 1).read()
      #expect(checkpoint.names == ["x"])
      #expect(checkpoint.metadata["split.count"] == .uint16(count))
    }
  }

  @Test func countsThatAreNone() throws {
    let builder = GGUFBuilder().adding("split.count", 5, little(Int32(-3))).adding(tensor: "w", [0])
    let error = #expect(throws: FileError.self) { try builder.read() }
    #expect(error?.message == "split.count is -3, allowed a number of files or tensors")
  }
}
