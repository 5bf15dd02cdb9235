import TestSupport
import Testing

@testable import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private typealias W = Wire

@Suite struct ONNXExternalDataTests {
  let directory: TemporaryDirectory
  init() throws {
    directory = try TemporaryDirectory()
    try directory.write([UInt8](0..<16), to: "data")
  }

  private func model(_ entries: [(String, String)]) -> [UInt8] { W.model(tensor: W.tensor(W.external(entries))) }

  private func open(_ entries: [(String, String)]) throws -> [UInt8]? {
    try Checkpoint.open(directory.write(model(entries), to: "model.onnx"))["t"]?.bytes.load()
  }

  @Test func readsWhatTheEntriesSay() throws {
    #expect(try open([("location", "data"), ("offset", "4"), ("length", "8")]) == [4, 5, 6, 7, 8, 9, 10, 11])
    #expect(try open([("location", "data"), ("offset", "8")]) == [8, 9, 10, 11, 12, 13, 14, 15])
    #expect(try open([("location", "./data"), ("length", "8")]) == [0, 1, 2, 3, 4, 5, 6, 7])
  }

  @Test func namesTheFilesItReads() throws {
    let path = try directory.write(model([("location", "data"), ("length", "8"), ("odd", "1")]), to: "model.onnx")
    let checkpoint = try Checkpoint.open(path)
    #expect(checkpoint.files.map { lastComponent(of: $0.path) } == ["model.onnx", "data"])
    #expect(checkpoint.notes == ["external data has the key 'odd', which is not known"])
  }

  /// O8 and O16: nothing outside the model's directory is opened.
  @Test(arguments: [
    "../data", "a/../../data", "/etc/passwd", "C:\\data", "C:data", "a\\data", "file:///data", "", "a//data",
    "*/_ORT_MEM_ADDR_/*", String(repeating: "a", count: 5_000),
  ])
  func refusesLocationsElsewhere(_ location: String) throws {
    let error = #expect(throws: FileError.self) { try open([("location", location), ("length", "8")]) }
    #expect(error?.message.hasPrefix("external data: location '") == true, "\(error?.message ?? "")")
    #expect(error?.tensor == "t")
  }

  /// O12.
  @Test(arguments: [
    (key: "offset", value: "-4", says: "offset '-4', allowed decimal digits"),
    (key: "offset", value: "1e3", says: "offset '1e3', allowed decimal digits"),
    (key: "offset", value: "+4", says: "offset '+4', allowed decimal digits"),
    (key: "offset", value: "18446744073709551620", says: "offset '18446744073709551620', allowed decimal digits"),
    (key: "offset", value: "9223372036854775807", says: "8 bytes at 9223372036854775807 of 'data', which has 16"),
    (key: "offset", value: "9", says: "8 bytes at 9 of 'data', which has 16"),
    (key: "length", value: "9", says: "two 'length'"),
    (key: "checksum", value: "abc", says: "checksum 'abc', allowed 40 hexadecimal digits"),
  ])
  func refusesNumbersThatAreNone(key: String, value: String, says: String) throws {
    let error = #expect(throws: FileError.self) { try open([("location", "data"), ("length", "8"), (key, value)]) }
    #expect(error?.message.hasPrefix("external data: \(says)") == true, "\(error?.message ?? "")")
  }

  @Test func refusesAnotherLength() throws {
    let error = #expect(throws: FileError.self) { try open([("location", "data"), ("length", "9")]) }
    #expect(error?.message == "external data of 9 bytes, the tensor needs 8")
  }

  /// O13.
  @Test func refusesWhatIsNoFile() throws {
    #expect(mkdir(directory.file("folder"), 0o777) == 0 && mkfifo(directory.file("pipe"), 0o666) == 0)
    for (location, says) in [
      ("gone", "external data: 'gone' is missing"), ("folder", "external data: 'folder' is not a regular file"),
      ("pipe", "external data: 'pipe' is not a regular file"),
      ("model.onnx", "external data: location 'model.onnx' is the model itself"),
    ] {
      let error = #expect(throws: FileError.self) { try open([("location", location)]) }
      #expect(error?.message == says)
    }
  }

  /// O14: looking at a model costs no sum, using its data does. `sha1sum` gave the digits.
  @Test func comparesTheChecksum() throws {
    let right = "56178b86a57fac22899a9964185c2cc96e7da589"
    #expect(try open([("location", "data"), ("length", "8"), ("checksum", right)]) == [0, 1, 2, 3, 4, 5, 6, 7])
    let wrong = [("location", "data"), ("length", "8"), ("checksum", String(repeating: "0", count: 40))]
    #expect(try Checkpoint.open(directory.write(model(wrong), to: "model.onnx")).names == ["t"])
    let error = #expect(throws: FileError.self) { try open(wrong) }
    #expect(error?.message == "SHA-1 is \(right), the model says \(String(repeating: "0", count: 40))")
    #expect(error?.file == directory.file("data"))
  }

  /// O10: Hugging Face's cache, in which the model and its data are links to blobs beside one another.
  @Test func readsThroughTheLinksOfACache() throws {
    for folder in ["blobs", "snapshots", "snapshots/a"] { #expect(mkdir(directory.file(folder), 0o777) == 0) }
    try directory.write([UInt8](1...8), to: "blobs/2")
    try directory.write(model([("location", "model.onnx_data")]), to: "blobs/1")
    #expect(symlink("../../blobs/1", directory.file("snapshots/a/model.onnx")) == 0)
    #expect(symlink("../../blobs/2", directory.file("snapshots/a/model.onnx_data")) == 0)
    let checkpoint = try Checkpoint.open(directory.file("snapshots/a/model.onnx"))
    #expect(try checkpoint["t"]?.bytes.load() == [UInt8](1...8))
  }

  /// O11: the data lies beside the link, or beside what it leads to.
  @Test func readsBesideALinkAndItsTarget() throws {
    #expect(mkdir(directory.file("real"), 0o777) == 0)
    try directory.write(model([("location", "weights")]), to: "real/model.onnx")
    #expect(symlink("real/model.onnx", directory.file("link.onnx")) == 0)
    try directory.write([UInt8](2...9), to: "real/weights")
    #expect(try Checkpoint.open(directory.file("link.onnx"))["t"]?.bytes.load() == [UInt8](2...9))
    try directory.write([UInt8](1...8), to: "weights")
    #expect(try Checkpoint.open(directory.file("link.onnx"))["t"]?.bytes.load() == [UInt8](1...8))
  }

  /// A link that leads elsewhere is not followed.
  @Test func refusesLinksThatLeadOut() throws {
    let outside = try TemporaryDirectory()
    try outside.write([UInt8](1...8), to: "secret")
    #expect(symlink(outside.file("secret"), directory.file("link")) == 0)
    let error = #expect(throws: FileError.self) { try open([("location", "link")]) }
    #expect(error?.message == "external data: location 'link' leads out of the model's directory")
  }

  /// `onnx` checks what is written and reads it, and the sum is `hashlib`'s.
  @Test func writesWhatONNXReads() throws {
    var model = ONNXModel()
    (model.producer, model.opsets) = ("clipkit", [("", 17)])
    model.graph.name = "graph"
    let sizes = [("small", 10), ("page", 1 << 10), ("large", 1 << 19)]
    for (name, count) in sizes {
      let bytes = (0..<(count * 4)).map { UInt8(truncatingIfNeeded: $0 % 97 % 64) }
      model.graph.initializers.append((name, try Tensor(dtype: .f32, shape: [count], bytes: Bytes(bytes))))
    }
    model.graph.inputs = [ONNXValue("x", .f32, [.size(10)])]
    model.graph.outputs = [ONNXValue("y", .f32, [.size(10)])]
    model.graph.nodes = [ONNXNode("Add", inputs: ["x", "small"], outputs: ["y"])]
    let (output, data) = try (FileWriter(directory.file("out.onnx")), FileWriter(directory.file("out.onnx_data")))
    try ONNX.write(model, to: output, data: data, location: "out.onnx_data")
    try data.commit()
    try output.commit()
    let script = """
      import hashlib, sys, numpy as np, onnx
      onnx.checker.check_model(sys.argv[1], full_check=True)
      plain = onnx.load(sys.argv[1], load_external_data=False).graph.initializer
      for t in plain: print(t.name, t.data_location, {e.key: e.value for e in t.external_data if e.key in ("offset", "length")})
      sums = {e.value for t in plain for e in t.external_data if e.key == "checksum"}
      assert sums == {hashlib.sha1(open(sys.argv[1] + "_data", "rb").read()).hexdigest()}
      for t in onnx.load(sys.argv[1]).graph.initializer:
        values = np.frombuffer((np.arange(t.dims[0] * 4) % 97 % 64).astype(np.uint8).tobytes(), np.float32)
        assert (onnx.numpy_helper.to_array(t) == values).all(), t.name
      """
    #expect(
      try Python.run(Python.light, script, directory.file("out.onnx")) == """
        small 0 {}
        page 1 {'offset': '0', 'length': '4096'}
        large 1 {'offset': '65536', 'length': '2097152'}

        """)
    let again = try ONNX.readModel(InputFile(directory.file("out.onnx")))
    for (old, new) in zip(model.graph.initializers, again.graph.initializers) {
      #expect(try old.tensor.bytes.load() == new.tensor.bytes.load())
    }
  }
}
