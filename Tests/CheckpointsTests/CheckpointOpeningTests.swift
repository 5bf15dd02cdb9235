import Checkpoints
import TestSupport
import Testing

/// Shards, directories, and files that are something else.
@Suite struct CheckpointOpeningTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// Writes a safetensors file of one-float tensors.
  private func writeShard(_ name: String, _ tensors: [String]) throws {
    var checkpoint = Checkpoint()
    for tensor in tensors {
      try checkpoint.add(Tensor(dtype: .f32, shape: [1], bytes: Bytes([0, 0, 0, 0])), named: tensor)
    }
    let writer = try FileWriter(directory.file(name))
    try Safetensors.write(checkpoint, to: writer)
    try writer.commit()
  }

  private func writeIndex(_ map: String, size: Int) throws {
    try directory.write(
      Array(#"{"metadata":{"total_size":\#(size)},"weight_map":{\#(map)}}"#.utf8), to: "model.safetensors.index.json")
  }

  private func refusal() -> FileError? {
    #expect(throws: FileError.self) { try Checkpoint.open(directory.file("model.safetensors.index.json")) }
  }

  @Test func shardsAreOneCheckpoint() throws {
    try writeShard("1.safetensors", ["a"])
    try writeShard("2.safetensors", ["b", "c"])
    try writeIndex(#""a":"1.safetensors","b":"2.safetensors","c":"2.safetensors""#, size: 12)
    let checkpoint = try Checkpoint.open(directory.path)
    #expect(checkpoint.sortedNames == ["a", "b", "c"])
    #expect(checkpoint.formatDetail == "2 shards")
    #expect(checkpoint.files.count == 2)
  }

  @Test(arguments: ["../x.safetensors", "/etc/passwd", "", "..", "a/b.safetensors"])
  func shardsOutsideAreRefused(_ name: String) throws {
    try writeIndex(#""a":"\#(name)""#, size: 4)
    #expect(refusal()?.message == "shard '\(name)' is not a plain file name")
    #expect(refusal()?.tensor == "a")
  }

  @Test func inconsistentShardsAreRefused() throws {
    try writeShard("1.safetensors", ["a"])
    try writeIndex(#""a":"1.safetensors","b":"2.safetensors""#, size: 8)
    #expect(refusal()?.message == "shard '2.safetensors' is missing")
    try FileWriter.replace(
      directory.file("model.safetensors.index.json"), #"{"weight_map":{"a":"1.safetensors","b":"1.safetensors"}}"#)
    #expect(refusal()?.message == "not in shard '1.safetensors', which the index names")
    try FileWriter.replace(directory.file("model.safetensors.index.json"), #"{"weight_map":{"x":"1.safetensors"}}"#)
    #expect(refusal()?.message == "shard '1.safetensors' holds a tensor that the index does not list")
    try FileWriter.replace(
      directory.file("model.safetensors.index.json"),
      #"{"metadata":{"total_size":5},"weight_map":{"a":"1.safetensors"}}"#)
    #expect(refusal()?.message == "total_size is 5, the shards hold 4 bytes")
    try FileWriter.replace(
      directory.file("model.safetensors.index.json"), #"{"weight_map":{"a":"1.safetensors","a":"1.safetensors"}}"#)
    #expect(refusal()?.message == "JSON: duplicate key 'a'")
    try writeShard("2.safetensors", ["a"])
    try FileWriter.replace(
      directory.file("model.safetensors.index.json"), #"{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}"#)
    #expect(refusal()?.message == "in shard '2.safetensors', the index says '1.safetensors'")
  }

  @Test func strangersBesideTheShards() throws {
    for number in 1...2 { try writeShard("m-0000\(number)-of-00002.safetensors", ["t\(number)"]) }
    let map = #"{"weight_map":{"t1":"m-00001-of-00002.safetensors","t2":"m-00002-of-00002.safetensors"}}"#
    try FileWriter.replace(directory.file("model.safetensors.index.json"), map)
    try writeShard("m-00001-of-00004.safetensors", ["t1"])
    #expect(
      try Checkpoint.open(directory.path).notes == [
        "'m-00001-of-00004.safetensors' beside it is of another set of parts"
      ])
    try writeShard("m-00003-of-00002.safetensors", ["t3"])
    let error = #expect(throws: FileError.self) { try Checkpoint.open(directory.path) }
    #expect(error?.kind == .mismatch)
    #expect(error?.message == "'m-00003-of-00002.safetensors' lies beside the 2 parts and is none of them")
    #expect(error?.file == directory.file("model.safetensors.index.json"))
  }

  /// What `numpy.savez` writes of no arrays: the end record of an archive.
  @Test func anEmptyArchiveIsOneOfNoArrays() throws {
    let path = try directory.write([0x50, 0x4B, 5, 6] + [UInt8](repeating: 0, count: 18), to: "a.npz")
    let checkpoint = try Checkpoint.open(path)
    #expect(checkpoint.format == NPZ.name && checkpoint.names.isEmpty && checkpoint.notes.isEmpty)
    let writer = try FileWriter(directory.file("b.npz"))
    try NPZ.write(checkpoint, to: writer)
    try writer.commit()
    #expect(try Bytes(InputFile(directory.file("b.npz"))).load() == Bytes(InputFile(path)).load())
  }

  @Test func directoriesWithTwoCheckpointsAsk() throws {
    try writeShard("model.safetensors", ["a"])
    try directory.write([1], to: "pytorch_model.bin")
    let error = #expect(throws: FileError.self) { try Checkpoint.open(directory.path) }
    #expect(error?.kind == .usage)
    #expect(error?.message == "2 checkpoints in this directory: 'model.safetensors', 'pytorch_model.bin'")
  }

  @Test func emptyDirectoriesHaveNoCheckpoint() {
    let error = #expect(throws: FileError.self) { try Checkpoint.open(directory.path) }
    #expect(error?.kind == .missing)
  }

  @Test(arguments: [
    ("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n", "git-LFS pointer"),
    ("<!DOCTYPE html><html>", "looks like HTML"), ("  <html>", "looks like HTML"),
    (#"{"error":"not found"}"#, "looks like JSON"), ("", "empty file"),
    ("hello world, this is text", "not a model file"),
  ])
  func impostorsAreNamed(_ content: String, _ says: String) throws {
    for format in allFormats {
      let name = "model.\(format.fileExtensions[0])"
      let path = try directory.write(Array(content.utf8), to: name)
      let error = #expect(throws: FileError.self) { try Checkpoint.open(path) }
      #expect(error?.message.hasPrefix(says) == true, "\(error?.message ?? "")")
      #expect(error?.file == path)
    }
  }

  /// A name that promises another format than the content: read by content, with a note.
  @Test func contentDecidesNotTheName() throws {
    for format in allFormats {
      var checkpoint = Checkpoint()
      try checkpoint.add(Tensor(dtype: .f32, shape: [1], bytes: Bytes([0, 0, 0x80, 0x3F])), named: "a")
      for named in allFormats {
        let path = directory.file("\(format.name)-as.\(named.fileExtensions[0])")
        let writer = try FileWriter(path)
        try format.write(checkpoint, to: writer)
        try writer.commit()
        let opened = try Checkpoint.open(path)
        #expect(opened.format == format.name)
        #expect(try opened["a"]?.bytes.load() == [0, 0, 0x80, 0x3F])
        #expect(opened.notes.isEmpty == (format == named))
      }
    }
  }
}

extension FileWriter {
  /// Writes a text over what is there.
  fileprivate static func replace(_ path: String, _ text: String) throws(FileError) {
    let writer = try FileWriter(path, policy: Policy(force: true))
    try writer.write(text)
    try writer.commit()
  }
}
