import Checkpoints
import TestSupport
import Testing

/// The pickle machine: what it reads, and what it refuses (P4, P5, and what Python refuses).
@Suite struct PickleTests {
  let file: PyTorchFile
  init() throws { file = try PyTorchFile() }

  /// A model of one tensor `w`, with `more` pickled as another member.
  private func beside(_ more: [UInt8]) -> [UInt8] { P.pickle(P.dict(("x", more), ("w", P.tensor()))) }

  @Test func readsOneTensor() throws {
    let checkpoint = try file.read(P.pickle(P.dict(("w", P.tensor()))))
    #expect(checkpoint.names == ["w"])
    #expect(try checkpoint["w"]?.floats() == [0, 1, 2, 3, 4, 5])
    #expect(checkpoint["w"]?.shape == [2, 3])
  }

  /// Opcode by opcode, with the value that Python gives for it.
  static let values: [(pickle: [UInt8], value: MetadataValue)] = [
    ([0x88], .bool(true)), ([0x89], .bool(false)), (Array("I01\n".utf8), .bool(true)),
    (Array("I00\n".utf8), .bool(false)), ([0x4B, 0xFF], .int64(255)), ([0x4D, 0x01, 0x80], .int64(32769)),
    ([0x4A, 0xFE, 0xFF, 0xFF, 0xFF], .int64(-2)), (Array("I-7\n".utf8), .int64(-7)),
    (Array("L8589934592L\n".utf8), .int64(8_589_934_592)), ([0x8A, 0], .int64(0)), ([0x8A, 1, 0x80], .int64(-128)),
    ([0x8A, 2, 0xFF, 0x00], .int64(255)), ([0x8A, 8, 0, 0, 0, 0, 0, 0, 0, 0x80], .int64(.min)),
    ([0x8B, 1, 0, 0, 0, 5], .int64(5)), ([0x47, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0], .float64(1.5)),
    (Array("F-0.25\n".utf8), .float64(-0.25)), ([0x58, 2, 0, 0, 0, 0xC3, 0xBC], .string("ü")),
    ([0x8C, 1, 0x61], .string("a")), ([0x8D, 1, 0, 0, 0, 0, 0, 0, 0, 0x61], .string("a")),
    ([0x55, 1, 0x61], .string("a")), ([0x54, 1, 0, 0, 0, 0x61], .string("a")), (Array("Va b\n".utf8), .string("a b")),
    (Array("S'a b'\n".utf8), .string("a b")), ([0x4E, 0x30, 0x88], .bool(true)),
    ([0x28, 0x4E, 0x4E, 0x31, 0x88], .bool(true)), ([0x88, 0x32, 0x30], .bool(true)),
    (P.put(7) + [0x88], .bool(true)), ([0x88, 0x94, 0x30, 0x4E, 0x30, 0x68, 0], .bool(true)),
    (Array("I3\np900\n0I4\ng900\n0".utf8), .int64(4)), ([0x95, 1, 0, 0, 0, 0, 0, 0, 0, 0x88], .bool(true)),
  ]

  @Test(arguments: values.indices) func readsPlainValues(_ index: Int) throws {
    let (pickle, value) = Self.values[index]
    #expect(try file.read(beside(pickle)).metadata["x"] == value)
  }

  /// Values that are read and of which nothing is kept.
  static let dropped: [[UInt8]] = [
    [0x4E], [0x43, 2, 0, 0xFF], [0x42, 1, 0, 0, 0, 0xFF], [0x8E, 1, 0, 0, 0, 0, 0, 0, 0, 0xFF],
    [0x96, 1, 0, 0, 0, 0, 0, 0, 0, 0xFF], [0x58, 1, 0, 0, 0, 0xFF], [0x8F, 0x28, 0x4E, 0x90], [0x28, 0x4E, 0x91],
    [0x28, 0x4E, 0x6C], [0x28, 0x4E, 0x4E, 0x64], [0x5D, 0x4E, 0x61], [0x5D, 0x28, 0x4E, 0x4E, 0x65],
    [0x29], [0x4E, 0x85], [0x4E, 0x4E, 0x86], [0x4E, 0x4E, 0x4E, 0x87], [0x8A, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    Array("L123456789012345678901234567890L\n".utf8), Array("V\\u00fc\n".utf8),
  ]

  @Test(arguments: dropped.indices) func readsContainersAndLongValues(_ index: Int) throws {
    let checkpoint = try file.read(beside(Self.dropped[index]))
    #expect(checkpoint.names == ["w"])
    #expect(checkpoint.metadata.isEmpty)
    #expect(checkpoint.notes.isEmpty)
  }

  /// What each malformed pickle is refused for. P4 and P5 are among them.
  static let malformed: [(pickle: [UInt8], message: String)] = [
    ([], "pickle opcode: expected 1 bytes, 0 remain"),
    (P.proto + P.emptyDict, "pickle opcode: expected 1 bytes, 0 remain"),
    (P.proto + P.stop, "pickle stack is empty"), (P.pickle(P.setItem), "pickle stack is empty"),
    (P.pickle([0x4E, 0x86]), "pickle stack is empty"), (P.pickle(P.mark + [0x30, 0x30]), "pickle stack is empty"),
    (P.pickle(P.setItems), "pickle mark is missing"), (P.pickle([0x74]), "pickle mark is missing"),
    (P.pickle([0x31]), "pickle mark is missing"), (P.pickle(P.mark + [0x6F]), "OBJ without a class"),
    // A mark fences what lies below it.
    (P.pickle(P.emptyList + [0x4E] + P.mark + P.append), "pickle stack is empty"),
    (P.pickle(P.get(0)), "pickle memo 0 is not set"),
    (P.pickle([0x6A, 0xFF, 0xFF, 0xFF, 0xFF]), "pickle memo 4294967295 is not set"),
    (P.pickle(Array("g-1\n".utf8)), "memo index '-1'"), (P.pickle(P.put(0)), "pickle stack is empty"),
    (P.pickle([0x8D] + P.little(UInt64(1 << 40))), "BINUNICODE8: 1099511627776 of at least 1 bytes each"),
    (P.pickle([0x8E] + P.little(UInt64(1 << 40))), "byte string: 1099511627776 of at least 1 bytes each"),
    (P.pickle([0x8E] + P.little(UInt64.max)), "byte string: 18446744073709551615 of at least 1 bytes each"),
    (P.pickle([0x96] + P.little(UInt64(1) << 63)), "byte string: 9223372036854775808 of at least 1 bytes each"),
    (P.pickle([0x58, 0xFF, 0xFF, 0xFF, 0xFF]), "pickled text: expected 4294967295 bytes"),
    (P.pickle([0x42, 0xFF, 0xFF, 0xFF, 0xFF]), "pickled bytes: expected 4294967295 bytes"),
    (P.pickle([0x8B, 0xFF, 0xFF, 0xFF, 0xFF]), "LONG4 of -1 bytes"),
    (P.pickle([0x8B, 0xFF, 0xFF, 0xFF, 0x7F]), "long integer: expected 2147483647 bytes"),
    (P.pickle([0x54, 0xFF, 0xFF, 0xFF, 0xFF]), "BINSTRING of -1 bytes"),
    (P.pickle([0x95] + P.little(UInt64(100)) + P.none), "pickle frame: 100 of at least 1 bytes each"),
    (P.pickle([0x95] + P.little(UInt64.max)), "pickle frame: 18446744073709551615"),
    (P.pickle([0x80, 6] + P.none), "pickle protocol 6, read are 0 to 5"),
    (P.pickle([0xFF]), "opcode 0xff is none of the pickle protocols 0 to 5"),
    (P.pickle([0]), "opcode 0x0 is none of the pickle protocols 0 to 5"),
    (P.pickle(P.none + P.none + P.append), "APPEND on None"),
    (P.pickle(P.emptyDict + P.none + P.append), "APPEND on a dict"),
    (P.pickle(P.emptyList + P.none + P.none + P.setItem), "SETITEM on a list"),
    (P.pickle(P.emptyTuple + P.mark + P.none + P.none + P.setItems), "SETITEMS on a tuple"),
    (P.pickle(P.emptyDict + P.mark + P.none + P.setItems), "a key without its value"),
    (P.pickle(P.mark + P.none + [0x64]), "a key without its value"),
    (P.pickle(P.emptyList + P.mark + [0x90]), "ADDITEMS on a list"),
    (P.pickle(P.none + P.none + P.build), "BUILD on None"),
    (P.pickle(P.emptyTuple + P.none + P.build), "BUILD on a tuple"),
    (P.pickle(P.global("a", "b") + P.none + P.reduce), "arguments are None, not a tuple"),
    (P.pickle(P.text("a") + P.none + [0x93]), "STACK_GLOBAL names a text and None, not texts"),
    (
      P.pickle(P.global("collections", "OrderedDict") + P.emptyList + P.none + P.append + [0x85] + P.reduce),
      "collections.OrderedDict of None, expected pairs"
    ),
    (P.pickle(Array("I12x\n".utf8)), "integer '12x'"), (P.pickle(Array("Fx\n".utf8)), "FLOAT 'x'"),
    (P.pickle([0x63, 0xFF, 0x0A, 0x0A]), "module name is not valid UTF-8"),
    (P.pickle([0x63] + [UInt8](repeating: 0x61, count: 70_000) + [0x0A]), "module name of more than 65536 bytes"),
    (P.pickle([0x82, 1]), "opcode EXT names a class by a number of copyreg"),
    (P.pickle([0x83, 1, 0]), "opcode EXT names a class by a number of copyreg"),
    (P.pickle([0x84, 1, 0, 0, 0]), "opcode EXT names a class by a number of copyreg"),
    (P.pickle([0x97]), "out-of-band buffer"), (P.pickle(P.none + [0x98]), "out-of-band buffer"),
    (P.pickle(Array("P0\n".utf8)), "persistent reference as text"),
    (P.pickle(P.none) + P.none, "1 bytes after the end of the pickle, allowed 0"),
    (P.pickle(P.emptyDict) + P.pickle(P.emptyDict), "4 bytes after the end of the pickle, allowed 0"),
  ]

  @Test(arguments: malformed.indices) func refusesMalformedPickles(_ index: Int) throws {
    let (pickle, message) = Self.malformed[index]
    let error = try file.error(pickle)
    #expect(error?.message.hasPrefix(message) == true, "\(error?.description ?? "read")")
    #expect(error?.offset != nil)
  }

  @Test func offsetsAreThoseOfTheFile() throws {
    let error = try #require(try file.error(P.pickle([0xFF])))
    let bytes = try Bytes(InputFile(file.directory.file("archive.pt"))).load()
    #expect(try bytes[#require(error.offset)] == 0xFF)
  }

  /// Neither walking nor freeing what a pickle nests may take a stack frame for each level.
  @Test func nestingIsBoundedWithoutRecursion() throws {
    let depth = 50_000
    let tuples = P.emptyTuple + [UInt8](repeating: 0x85, count: depth)
    #expect(try file.error(beside(tuples))?.message == "containers are nested deeper than 100")
    // From outside in, through the memo: no node knows how deep it will be.
    var chain: [UInt8] = P.emptyList + [0x94]
    for index in 0..<depth {
      chain += P.emptyList + [0x94] + P.append + [0x30, 0x6A] + P.little(UInt32(index + 1))
    }
    chain += [0x30] + P.get(0)
    #expect(try file.error(beside(chain))?.message == "containers are nested deeper than 100")

    let nested = (0..<150).reduce(P.tensor()) { inner, _ in P.dict(("a", inner)) }
    let error = try file.error(P.pickle(nested))
    #expect(error?.message == "containers are nested deeper than 100")
    let deep = (0..<90).reduce(P.tensor()) { inner, _ in P.dict(("a", inner)) }
    #expect(try file.read(P.pickle(deep)).names == [[String](repeating: "a", count: 90).joined(separator: ".")])
  }

  @Test func cyclesEnd() throws {
    // A dict that holds itself beside a tensor.
    let cycle = P.emptyDict + P.put(0) + P.mark + P.text("w") + P.tensor() + P.text("self") + P.get(0) + P.setItems
    let error = try file.error(P.pickle(cycle))
    #expect(error == nil || error?.kind == .malformed)
    let list = P.emptyList + P.put(0) + P.get(0) + P.append
    #expect(try file.read(beside(list)).names == ["w"])
  }

  /// Thirty levels of a dict that is in the next one twice: a billion names in half a kilobyte.
  @Test func sharedContainersDoNotExplode() throws {
    var bomb = P.dict(("w", P.tensor())) + P.put(0)
    var idle = P.emptyList + P.put(0)
    for _ in 0..<30 {
      bomb = P.emptyDict + P.mark + P.text("a") + bomb + P.text("b") + P.get(0) + P.setItems + P.put(0)
      idle = P.emptyList + P.mark + idle + P.get(0) + [0x65] + P.put(0)
    }
    let error = try file.error(P.pickle(bomb))
    #expect(error?.message.hasPrefix("shared values unfold to more names") == true)
    #expect(try file.read(beside(idle)).names == ["w"])
  }

  /// Sharing within reason is no bomb: torch gives a tied module both its names.
  @Test func sharedModulesHaveAllTheirNames() throws {
    let shared = P.dict(("w", P.tensor()))
    let pickle = P.dict(("a", shared + P.put(0)), ("b", P.get(0)), ("c", P.get(0)))
    #expect(try file.read(P.pickle(pickle)).names == ["a.w", "b.w", "c.w"])
  }

  @Test func memoryIsBoundedByThePicklesSize() throws {
    // Half a million empty lists of one byte each would take a hundred times that.
    let lists = [UInt8](repeating: 0x5D, count: 500_000)
    let error = try file.error(P.proto + lists + P.stop)
    #expect(error?.message.hasPrefix("values take more than") == true)
    let marks = [UInt8](repeating: 0x28, count: 1_000_000)
    #expect(try file.error(P.proto + marks + P.stop) != nil)
  }
}
