import Checkpoints
import TestSupport
import Testing

/// P1 and P2: names of code refuse the file, whatever opcode names them; harmless ones are skipped. Nothing runs.
@Suite struct PyTorchGlobalsTests {
  let file: PyTorchFile
  init() throws { file = try PyTorchFile() }

  private func beside(_ more: [UInt8]) -> [UInt8] { P.pickle(P.dict(("w", P.tensor()), ("x", more))) }

  /// Every way to name and call `posix.system`; Python would run the command for each.
  private func calls(_ command: String) -> [[UInt8]] {
    let argument = P.text(command)
    let arguments = argument + [0x85]
    return [
      P.global("posix", "system") + arguments + P.reduce,
      P.stackGlobal("posix", "system") + arguments + P.reduce,
      // INST: mark, arguments, then the name.
      P.mark + argument + [0x69] + Array("posix\nsystem\n".utf8),
      P.mark + P.global("posix", "system") + argument + [0x6F],
      P.global("posix", "system") + arguments + P.newObject,
      P.global("posix", "system") + arguments + P.emptyDict + [0x92],
      P.global("argparse", "Namespace") + P.emptyTuple + P.newObject + P.global("posix", "system") + P.build,
      P.global("posix", "system"),
    ]
  }

  @Test func noOpcodeRunsAnything() throws {
    let canary = file.directory.file("canary")
    for call in calls("touch \(canary)") {
      let error = try #require(try file.error(beside(call)))
      #expect(error.kind == .malformed)
      #expect(error.message == "names 'posix.system', which could run code when unpickled; nothing was run")
      #expect(error.offset != nil)
      #expect(FileIdentity(path: canary) == nil)
    }
  }

  /// The offset is that of the opcode that names it.
  @Test func offsetPointsAtTheName() throws {
    let error = try #require(try file.error(beside(P.global("posix", "system"))))
    let bytes = try Bytes(InputFile(file.directory.file("archive.pt"))).load()
    let offset = try #require(error.offset)
    #expect(Array(bytes[offset..<(offset + 14)]) == Array("cposix\nsystem\n".utf8))
  }

  static let dangerous = [
    ("builtins", "exec"), ("builtins", "eval"), ("builtins", "getattr"), ("builtins", "__import__"),
    ("__builtin__", "eval"), ("builtins", "open"), ("os", "system"), ("nt", "system"), ("subprocess", "Popen"),
    ("sys", "modules"), ("runpy", "run_path"), ("pkgutil", "resolve_name"), ("copyreg", "add_extension"),
    ("copy_reg", "add_extension"), ("importlib", "import_module"), ("importlib.util", "find_spec"),
    ("ctypes", "CDLL"), ("socket", "socket"), ("pickle", "loads"), ("cPickle", "loads"), ("shutil", "rmtree"),
    ("webbrowser", "open"), ("operator", "attrgetter"), ("_operator", "methodcaller"), ("types", "FunctionType"),
    ("torch", "load"), ("torch.storage", "_load_from_bytes"), ("torch.hub", "load"),
    ("numpy.testing._private.utils", "runstring"),
    ("torch.serialization", "os.system"), ("collections", "OrderedDict.__reduce__"), ("a", "f.__globals__"),
    ("a.b", "__getattribute__"), ("timeit", "timeit"), ("code", "InteractiveInterpreter"),
    ("urllib.request", "urlopen"),
  ]

  @Test(arguments: dangerous) func namesOfCodeRefuseTheFile(_ module: String, _ name: String) throws {
    for global in [P.global(module, name), P.stackGlobal(module, name)] {
      let error = try #require(try file.error(beside(global + P.emptyTuple + P.reduce)))
      #expect(error.message.hasPrefix("names '"))
      #expect(error.message.contains(".\(name)'"))
    }
  }

  static let harmless = [
    ("argparse", "Namespace"), ("numpy.core.multiarray", "scalar"), ("numpy", "dtype"),
    ("omegaconf.dictconfig", "DictConfig"),
    ("torch.optim.adamw", "AdamW"), ("pathlib", "PosixPath"), ("functools", "partial"), ("copyreg", "_reconstructor"),
    ("datetime", "datetime"), ("enum", "Enum"), ("my.os.model", "Thing"), ("code.train", "Config"), ("test.net", "Net"),
    ("uuid", "UUID"), ("decimal", "Decimal"), ("types", "SimpleNamespace"),
  ]

  @Test(arguments: harmless) func otherNamesAreSkipped(_ module: String, _ name: String) throws {
    for global in [P.global(module, name), P.stackGlobal(module, name)] {
      let object = global + P.emptyTuple + P.newObject + P.dict(("lr", P.int(1))) + P.build
      let checkpoint = try file.read(beside(object))
      #expect(checkpoint.names == ["w"])
      #expect(checkpoint.notes == ["skipped 1 object: \(module).\(name)"])
      let error = try file.error(beside(object), options: ReadOptions(strict: true))
      #expect(error?.kind == .unsupported)
      #expect(error?.message == "holds '\(module).\(name)', neither a tensor nor a plain value")
    }
  }

  /// Subclasses of containers: Python fills them by the same opcodes as the containers.
  @Test func objectsMayBeFilledAsContainers() throws {
    let object = P.global("a", "B") + P.emptyTuple + P.newObject
    for filling in [
      P.none + P.append, P.mark + P.none + [0x65], P.text("k") + P.none + P.setItem, P.mark + P.none + [0x90],
    ] {
      #expect(try file.read(beside(object + filling)).notes == ["skipped 1 object: a.B"])
    }
  }

  @Test func longListsAreCut() throws {
    let objects = (0..<30).flatMap { P.global("m", "C\($0)") + P.emptyTuple + P.newObject }
    let checkpoint = try file.read(beside(P.emptyList + P.mark + objects + [0x65]))
    let note = try #require(checkpoint.notes.first)
    #expect(note.hasPrefix("skipped 30 objects: m.C0, "))
    #expect(note.hasSuffix("m.C9, …"))
  }

  @Test func namesAreEscapedInMessages() throws {
    let error = try #require(try file.error(beside(P.stackGlobal("os", "\u{1B}[2J\r"))))
    #expect(error.description.contains("os.\\u{1b}[2J\\u{d}"))
  }
}
