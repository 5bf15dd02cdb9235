import Checkpoints
import TestSupport
import Testing

/// P18: which part of a file is the model.
@Suite struct PyTorchModelTests {
  let file: PyTorchFile
  init() throws { file = try PyTorchFile() }

  private static let flat = P.dict(("w", P.tensor()), ("b", P.tensor()))
  private static let optimizer = P.dict(
    ("state", P.emptyDict + P.int(0) + P.dict(("exp_avg", P.tensor())) + P.setItem), ("param_groups", P.emptyList))

  /// A file's members, and the key that leads to the model; nil when the whole is the model.
  static let chosen: [(value: [UInt8], path: String?, names: [String])] = [
    (flat, nil, ["w", "b"]),
    (P.dict(("state_dict", flat), ("epoch", P.int(3))), "state_dict", ["w", "b"]),
    (P.dict(("model", flat), ("optimizer", optimizer)), "model", ["w", "b"]),
    // An optimizer by its content, whatever its name.
    (P.dict(("model", flat), ("opt0", optimizer), ("grad_scaler", flat)), "model", ["w", "b"]),
    (P.dict(("ema", flat), ("lr_schedulers", flat), ("rng_states", flat)), "ema", ["w", "b"]),
    (P.dict(("model_state_dict", flat)), "model_state_dict", ["w", "b"]),
    (P.dict(("module", flat)), "module", ["w", "b"]),
    // Wrapped twice.
    (P.dict(("state_dict", P.dict(("model", flat), ("step", P.int(1))))), "state_dict.model", ["w", "b"]),
    // The only flat dict, under a name that nobody knows.
    (P.dict(("clip", flat), ("name", P.text("x"))), "clip", ["w", "b"]),
    // A model written as a tree.
    (P.dict(("visual", flat), ("text", flat)), nil, ["visual.w", "visual.b", "text.w", "text.b"]),
    (P.dict(("visual", P.dict(("conv1", flat)))), nil, ["visual.conv1.w", "visual.conv1.b"]),
    (P.dict(("visual", flat), ("logit_scale", P.tensor())), nil, ["visual.w", "visual.b", "logit_scale"]),
    (P.dict(("state_dict", P.dict(("visual", flat), ("s", P.tensor())))), "state_dict", ["visual.w", "visual.b", "s"]),
    // A state dict and what was saved with it.
    (P.tuple(flat, P.dict(("lr", P.int(1)))), "0", ["w", "b"]),
    (P.emptyList + P.mark + P.tensor() + P.tensor() + [0x65], nil, ["0", "1"]),
    // An empty member holds nothing.
    (P.dict(("state_dict", flat), ("ema", P.emptyDict)), "state_dict", ["w", "b"]),
  ]

  @Test(arguments: chosen.indices) func findsTheModel(_ index: Int) throws {
    let (value, path, names) = Self.chosen[index]
    let checkpoint = try file.read(P.pickle(value))
    #expect(checkpoint.names == names)
    let note = checkpoint.notes.first { $0.hasPrefix("tensors are in") }
    #expect(note == path.map { "tensors are in '\($0)'" })
  }

  /// Two that could be meant are a question.
  static let questions: [(value: [UInt8], names: String)] = [
    (P.dict(("state_dict", flat), ("state_dict_ema", flat)), "'state_dict', 'state_dict_ema'"),
    (P.dict(("model", flat), ("ema", flat), ("optimizer", optimizer)), "'model', 'ema'"),
    (P.dict(("model", flat), ("projector", flat)), "'model', 'projector'"),
    (P.tuple(flat, flat), "'0', '1'"),
    (P.dict(("state_dict", P.dict(("model", flat), ("teacher", flat)))), "'model', 'teacher'"),
  ]

  @Test(arguments: questions.indices) func asksWhenTwoAreCandidates(_ index: Int) throws {
    let (value, names) = Self.questions[index]
    let error = try #require(try file.error(P.pickle(value)))
    #expect(error.kind == .usage)
    #expect(error.message == "several members hold tensors: \(names)")
    #expect(error.hint?.contains("--key") == true)
  }

  @Test func keyChooses() throws {
    let pickle = P.pickle(
      P.dict(
        ("state_dict", Self.flat), ("a.b", P.dict(("x", P.tensor()))), ("optimizer", Self.optimizer), ("n", P.int(1))))
    func names(_ key: String) throws -> [String] { try file.read(pickle, options: ReadOptions(key: key)).names }
    #expect(try names("state_dict") == ["w", "b"])
    #expect(try names("a.b") == ["x"])
    // What is never a candidate can still be asked for.
    #expect(try names("optimizer.state.0") == ["exp_avg"])
    #expect(try names(".") == ["state_dict.w", "state_dict.b", "a.b.x", "optimizer.state.0.exp_avg"])
    for key in ["n", "", "state_dict.w", "state_dict.none", "a", "x"] {
      let error = try #require(try file.error(pickle, options: ReadOptions(key: key)), "key '\(key)'")
      #expect(error.kind == .usage)
      #expect(error.message == "no member '\(key)' holds tensors")
    }
  }

  @Test func whatIsBesideTheModelIsNoted() throws {
    let pickle = P.pickle(
      P.dict(
        ("model", Self.flat), ("optimizer", Self.optimizer), ("rng_state", P.tensor()), ("epoch", P.int(3)),
        ("arch", P.text("ViT-B-32"))))
    let checkpoint = try file.read(pickle)
    #expect(checkpoint.notes.contains("tensors beside them are left out: 'optimizer', 'rng_state'"))
    #expect(checkpoint.metadata.keys == ["epoch", "arch"])
    #expect(checkpoint.metadata["epoch"] == .int64(3))
  }

  /// `torch.save(model)`: what `state_dict()` would have said.
  @Test func modulesAreWalked() throws {
    func module(
      parameters: [UInt8] = P.emptyDict, buffers: [UInt8] = P.emptyDict, modules: [UInt8] = P.emptyDict,
      transient: [UInt8] = P.emptyList
    ) -> [UInt8] {
      P.global("my.net", "Net") + P.emptyTuple + P.newObject
        + P.dict(
          ("training", [0x88]), ("_parameters", parameters), ("_buffers", buffers), ("_modules", modules),
          ("_non_persistent_buffers_set", P.global("builtins", "set") + transient + [0x85] + P.reduce),
          ("extra", P.tensor()))
        + P.build
    }
    let inner = module(
      parameters: P.dict(("w", P.tensor()), ("none", P.none)),
      buffers: P.dict(("kept", P.tensor()), ("gone", P.tensor())),
      transient: P.emptyList + P.text("gone") + P.append)
    let checkpoint = try file.read(
      P.pickle(module(parameters: P.dict(("s", P.tensor())), modules: P.dict(("a", inner), ("off", P.none)))))
    #expect(checkpoint.names == ["s", "a.w", "a.kept"])
    #expect(!checkpoint.notes.contains { $0.hasPrefix("skipped") })
  }
}
