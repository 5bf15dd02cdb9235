extension PyTorch {
  /// A `torch.save` archive as `torch.load(weights_only: true)` and its `mmap` read it: tensors by name, each with its
  /// own storage.
  ///
  /// `.format_version` is left out: with it, PyTorch may compute where storages begin instead of looking, from a layout
  /// that only its own writer has.
  public static func write(_ checkpoint: Checkpoint, to output: FileWriter) throws(FileError) {
    var tensors: [(name: String, tensor: Tensor)] = []
    for name in checkpoint.sortedNames {
      guard let tensor = checkpoint[name] else { continue }
      try checkStorable(tensor, named: name)
      tensors.append((name, tensor))
    }
    var zip = ZipWriter(output)
    try zip.add("archive/data.pkl", Bytes(pickle(tensors)), alignment: alignment)
    try zip.add("archive/byteorder", Bytes(Array("little".utf8)), alignment: alignment)
    for (index, (name, tensor)) in tensors.enumerated() {
      try zip.add("archive/data/\(index)", tensor.bytes, alignment: alignment, of: name)
    }
    if !checkpoint.metadata.isEmpty {
      let text = checkpoint.metadata.json.text(pretty: true)
      try zip.add("archive/\(metadataName)", Bytes(Array(text.utf8)), alignment: alignment)
    }
    try zip.add("archive/version", Bytes(Array("3\n".utf8)), alignment: alignment)
    try zip.finish()
  }

  /// What PyTorch aligns data to, so that it can be mapped.
  private static let alignment = 64

  /// `OrderedDict` of name and `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`.
  private static func pickle(_ tensors: [(name: String, tensor: Tensor)]) -> [UInt8] {
    var writer = PickleWriter()
    writer.orderedDict()
    writer.mark()
    for (index, (name, tensor)) in tensors.enumerated() {
      guard let type = PyTorchDType(tensor.dtype) else { continue }
      writer.text(name)
      let isTyped = !type.storage.isEmpty
      writer.global("torch._utils", isTyped ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3")
      writer.tuple { writer in
        writer.tuple { writer in
          writer.text("storage")
          writer.global(isTyped ? "torch" : "torch.storage", isTyped ? type.storage : "UntypedStorage")
          writer.text(String(index))
          writer.text("cpu")
          // An untyped storage counts bytes.
          writer.integer(isTyped ? tensor.count : tensor.bytes.count)
        }
        writer.persistentReference()
        writer.integer(0)
        writer.tuple(tensor.shape)
        writer.tuple(strides(of: tensor.shape))
        writer.bool(false)
        writer.orderedDict()
        if !isTyped { writer.global("torch", type.name) }
      }
      writer.reduce()
    }
    writer.setItems()
    writer.stop()
    return writer.bytes
  }

  /// Row-major strides in elements; a dimension of 0 counts as 1, as in PyTorch.
  private static func strides(of shape: [Int]) -> [Int] {
    var strides: [Int] = []
    var next = 1
    for size in shape.reversed() {
      strides.append(next)
      next *= max(size, 1)
    }
    return strides.reversed()
  }
}
