/// Which classes and functions a pickle may name.
///
/// Nothing is ever called, so naming a dangerous one harms nobody here. But a file that names one was made to attack
/// whoever opens it elsewhere, and is refused whole.
enum PickleGlobals {
  /// Whether a name carries meaning in a checkpoint; everything else that is harmless is skipped and reported.
  static func isKnown(_ path: String) -> Bool {
    known.contains(path) || path.hasPrefix("torch._utils._rebuild_") || path.hasPrefix("torch.jit._pickle.")
      || path.hasPrefix("__torch__.") || PyTorchDType.isName(path)
  }

  private static let known: Set<String> = [
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter", "builtins.dict", "builtins.list",
    "builtins.tuple", "builtins.set", "builtins.frozenset", "builtins.bytearray", "builtins.complex",
    "builtins.int", "builtins.float", "builtins.bool", "builtins.str", "builtins.bytes", "builtins.object",
    "builtins.slice", "builtins.range", "builtins.xrange", "builtins.unicode", "builtins.long", "_codecs.encode",
    "torch.Size", "torch.device", "torch.Tensor",
    "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer", "torch._tensor._rebuild_from_type_v2",
    "torch.serialization._get_layout", "torch.per_tensor_affine", "torch.per_channel_affine",
  ]

  /// Classes whose instances are dicts.
  static let dicts: Set<String> = [
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter", "builtins.dict",
  ]

  /// A module by the name that Python 3 gives it.
  static func module(_ name: String) -> String {
    switch name {
    case "__builtin__": "builtins"
    case "copy_reg": "copyreg"
    case "cPickle": "pickle"
    default: name
    }
  }

  /// Whether naming this is an attack: code, processes, files, the network, or a way to any of them.
  static func isDangerous(module: String, name: String) -> Bool {
    // No class has such a name; taking it apart would cost more than the file.
    guard module.utf8.count + name.utf8.count <= Limits.pickledName else { return true }
    let path = "\(module).\(name)"
    if harmless.contains(path) { return false }
    let package = String(module.prefix { $0 != "." })
    if packages.contains(package) || functions.contains(path) || prefixes.contains(where: path.hasPrefix) {
      return true
    }
    // A dotted name walks attributes: `os.system` of a module that imports `os`, or `f.__globals__`.
    let walk = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    return walk.contains { $0.hasPrefix("__") && $0.hasSuffix("__") }
      || (walk.count > 1 && walk.contains { packages.contains($0) || $0 == "builtins" })
  }

  /// The members of the packages below that only make plain objects.
  private static let harmless: Set<String> = [
    "copyreg._reconstructor", "copyreg.__newobj__", "copyreg.__newobj_ex__",
  ]

  /// All that these packages offer is code, processes, files and network.
  private static let packages: Set<String> = [
    "_pickle", "_posixsubprocess", "_socket", "_thread", "_winapi", "aiohttp", "asyncio", "asyncore", "bdb",
    "cProfile", "cloudpickle", "codeop", "compileall", "copyreg", "ctypes", "dill", "distutils", "doctest",
    "ensurepip", "execnet", "fileinput", "ftplib", "http", "httplib", "httpx", "idlelib", "imaplib", "imp",
    "importlib", "inspect", "lib2to3", "linecache", "mailcap", "marshal", "mmap", "msvcrt", "multiprocessing",
    "nt", "ntpath", "os", "pdb", "pickle", "pip", "pipes", "pkg_resources", "pkgutil", "popen2", "poplib", "posix",
    "posixpath", "pty", "py_compile", "pydoc", "requests", "rlcompleter", "runpy", "setuptools", "shelve", "shutil",
    "smtplib", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "sys", "sysconfig", "tarfile", "telnetlib",
    "tempfile", "threading", "urllib", "urllib2", "venv", "webbrowser", "wsgiref", "xmlrpc", "zipapp", "zipfile",
    "zipimport",
  ]

  private static let prefixes = [
    "numpy.distutils.", "numpy.f2py.", "numpy.testing.", "torch._inductor.", "torch.classes.",
    "torch.distributed.rpc.", "torch.hub.", "torch.ops.", "torch.utils.cpp_extension.", "torch.utils.model_zoo.",
  ]

  private static let functions: Set<String> = [
    "_io.FileIO", "_io.open", "_io.open_code", "_operator.attrgetter", "_operator.call", "_operator.itemgetter",
    "_operator.methodcaller", "builtins.apply", "builtins.breakpoint", "builtins.compile", "builtins.delattr",
    "builtins.eval", "builtins.exec", "builtins.execfile", "builtins.exit", "builtins.file", "builtins.getattr",
    "builtins.globals", "builtins.input", "builtins.locals", "builtins.open", "builtins.quit",
    "builtins.raw_input", "builtins.reload", "builtins.setattr", "builtins.vars", "code.InteractiveConsole",
    "code.InteractiveInterpreter", "code.interact", "code.runcode", "commands.getoutput",
    "commands.getstatusoutput", "functools.reduce", "io.FileIO", "io.open", "io.open_code", "joblib.load",
    "logging.config.listen", "numpy.fromfile", "numpy.load", "numpy.loadtxt", "operator.attrgetter",
    "operator.call", "operator.itemgetter", "operator.methodcaller", "pandas.read_pickle", "platform.popen",
    "profile.Profile", "profile.run", "timeit.main", "timeit.repeat", "timeit.timeit", "torch.jit.load",
    "torch.load", "torch.serialization.load", "torch.storage._load_from_bytes", "trace.Trace", "types.CodeType",
    "types.FunctionType", "types.LambdaType", "types.MethodType",
  ]
}
