import Checkpoints
import TestSupport
import Testing

@Suite struct NPZTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func read(_ name: String) throws -> Checkpoint {
    try NPZ.read(InputFile(fixture("checkpoints/\(name)")), options: ReadOptions())
  }

  @discardableResult private func write(_ checkpoint: Checkpoint, to name: String) throws -> String {
    let output = try FileWriter(directory.file(name))
    try NPZ.write(checkpoint, to: output)
    try output.commit()
    return directory.file(name)
  }

  /// 0 … 5 as little-endian values of a type; what `tools/make_fixtures_zip.py` saved in every order.
  private static func count(to end: Int, _ dtype: DType) -> [UInt8] {
    (0..<end).flatMap { value -> [UInt8] in
      switch dtype {
      case .bool: [UInt8(value % 2)]
      case .u8, .i8: [UInt8(value)]
      case .u16, .i16: little(UInt16(value))
      case .u32, .i32: little(UInt32(value))
      case .u64, .i64: little(UInt64(value))
      case .f16: little([0, 0x3C00, 0x4000, 0x4200, 0x4400, 0x4500][value] as UInt16)
      case .bf16: little([0, 0x3F80, 0x4000, 0x4040, 0x4080, 0x40A0][value] as UInt16)
      case .f32: little(Float(value).bitPattern)
      case .f64: little(Double(value).bitPattern)
      case .c64: little(Float(value).bitPattern) + [0, 0, 0, 0]
      default: []
      }
    }
  }

  @Test(arguments: ["numpy-types.npz", "numpy-types-deflated.npz"]) func readsEveryTypeAndOrder(file: String) throws {
    let checkpoint = try read(file)
    let dtypes: [(String, DType)] = [
      ("u1", .u8), ("i1", .i8), ("u2", .u16), ("i2", .i16), ("u4", .u32), ("i4", .i32), ("u8", .u64), ("i8", .i64),
      ("f2", .f16), ("f4", .f32), ("f8", .f64), ("c8", .c64),
    ]
    for (code, dtype) in dtypes {
      for name in ["little/\(code)", "big/\(code)", "fortran/\(code)"] {
        let tensor = try #require(checkpoint[name])
        #expect(tensor.dtype == dtype && tensor.shape == [2, 3], "\(name)")
        #expect(try tensor.bytes.load() == Self.count(to: 6, dtype), "\(name)")
      }
    }
    for (name, dtype) in [("little/b1", DType.bool), ("little/bf16", .bf16)] {
      let tensor = try #require(checkpoint[name])
      #expect(tensor.dtype == dtype && tensor.shape == [2, 3], "\(name)")
      #expect(try tensor.bytes.load() == Self.count(to: 6, dtype), "\(name)")
    }
    let cube = try #require(checkpoint["big/fortran"])
    #expect(cube.dtype == .i32 && cube.shape == [2, 3, 4])
    #expect(try cube.bytes.load() == Self.count(to: 24, .i32))
    #expect(try checkpoint["shape/scalar"]?.bytes.load() == little(Float(7).bitPattern))
    let shapes = ["scalar": [], "one": [3], "empty": [0, 5], "fortran-empty": [4, 0, 5]]
    for (name, shape) in shapes { #expect(checkpoint["shape/\(name)"]?.shape == shape) }
    #expect(checkpoint.names.count == 12 * 3 + 3 + 4)
    #expect(checkpoint.notes == ["dtype V2 is read as bf16 in 1 arrays"])
    #expect(checkpoint.metadata.isEmpty)
  }

  @Test(arguments: [1, 2, 3]) func readsEveryVersion(version: Int) throws {
    let checkpoint = try read("numpy-version-\(version).npy")
    #expect(checkpoint.names == ["numpy-version-\(version)"])
    #expect(checkpoint.formatDetail == "one array")
    let tensor = try #require(checkpoint["numpy-version-\(version)"])
    #expect(tensor.shape == [2, 3])
    #expect(try tensor.bytes.load() == Self.count(to: 6, .f32))
  }

  /// big_vision's names: slashes and all.
  @Test func readsBigVision() throws {
    let checkpoint = try read("siglip-big-vision.npz")
    let kernel = try #require(checkpoint["params/img/Transformer/encoderblock_0/MlpBlock_0/Dense_0/kernel"])
    #expect(kernel.dtype == .f32 && kernel.shape.count == 2)
    #expect(checkpoint["params/t"]?.shape == [1])
    #expect(checkpoint.names.allSatisfy { $0.hasPrefix("params/") || $0.hasPrefix("opt/") })
  }

  @Test func recognisesByContent() throws {
    let one = NPYFile(shape: "(1,)", data: [7]).bytes
    let npz = ZipBuilder([.init("x.npy", one)]).bytes
    let cases: [(String, [UInt8], Bool)] = [
      ("npy", one, true), ("npz", npz, true), ("deflated npz", ZipBuilder([.deflated("x.npy", one)]).bytes, true),
      ("PyTorch's", ZipBuilder([.init("r/data.pkl", [1]), .init("r/x.npy", one)]).bytes, false),
      ("another zip", ZipBuilder([.init("readme.txt", [1])]).bytes, false), ("empty zip", ZipBuilder([]).bytes, true),
      ("text", Array("{}".utf8), false), ("three bytes", [0x50, 0x4B, 3], false),
    ]
    for (name, bytes, isNPZ) in cases {
      #expect(try NPZ.matches(InputFile(directory.write(bytes, to: "file"))) == isNPZ, "\(name)")
    }
    #expect(throws: FileError.self) {
      try NPZ.matches(InputFile(directory.write(Array(npz.dropLast()), to: "file")))
    }
  }

  /// Headers that NumPy 2.4 loads, though it writes none of them itself.
  @Test(arguments: [
    "{'descr':'|u1','fortran_order':False,'shape':(2,)}",
    "{\"shape\": (2,), \"fortran_order\": True, \"descr\": \"<u1\"}\n",
    "  { 'descr' : '>u1' , 'fortran_order' : False , 'shape' : ( 2 , ) , }  ",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (2L,), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 1,), }",
  ]) func readsHeadersOfOtherWriters(header: String) throws {
    let path = try directory.write(NPYFile(header: header, data: [8, 9]).bytes, to: "a.b.npy")
    let checkpoint = try NPZ.read(InputFile(path), options: ReadOptions())
    #expect(try checkpoint["a.b"]?.bytes.load() == [8, 9])
    guard Python.light != nil else { return }
    let values = try Python.run(
      Python.light, "import sys, numpy; print(numpy.load(sys.argv[1]).ravel().tolist())", path)
    #expect(values.hasSuffix("[8, 9]\n"))
  }
}

/// The bytes of a `.npy` file, field by field.
struct NPYFile {
  var magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  var version: [UInt8] = [1, 0]
  var header: String
  var headerLength: UInt32?
  var data: [UInt8]

  init(header: String, data: [UInt8]) {
    self.header = header
    self.data = data
  }

  init(descr: String = "'|u1'", order: String = "False", shape: String, data: [UInt8]) {
    self.init(header: "{'descr': \(descr), 'fortran_order': \(order), 'shape': \(shape), }\n", data: data)
  }

  var bytes: [UInt8] {
    let length = headerLength ?? UInt32(header.utf8.count)
    return magic + version + (version[0] == 1 ? little(UInt16(length)) : little(length)) + header.utf8 + data
  }
}
