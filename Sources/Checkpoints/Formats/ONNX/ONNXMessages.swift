internal import COnnx
internal import CProtobufC

// The one file that knows protobuf-c's structures.

extension ONNX {
  /// A message that protobuf-c unpacked, and frees.
  private final class UnpackedModel {
    let message: UnsafeMutablePointer<Onnx__ModelProto>

    init?(_ skeleton: [UInt8]) {
      guard let message = onnx__model_proto__unpack(nil, skeleton.count, skeleton) else { return nil }
      self.message = message
    }

    deinit { onnx__model_proto__free_unpacked(message, nil) }
  }

  /// The model of a scanned file.
  static func unpack(_ scanner: consuming Scanner, data: inout ExternalData) throws(FileError) -> ONNXModel {
    guard let unpacked = UnpackedModel(scanner.skeleton) else {
      throw FileError(.malformed, "protobuf-c cannot unpack the model")
    }
    var unpacker = Unpacker(tensors: scanner.tensors, data: data)
    defer { data = unpacker.data }
    return try unpacker.model(unpacked.message.pointee)
  }

  /// Turns protobuf-c's structures, which hold a skeleton, into values.
  private struct Unpacker {
    let tensors: [ScannedTensor]
    var data: ExternalData

    mutating func model(_ message: Onnx__ModelProto) throws(FileError) -> ONNXModel {
      var model = ONNXModel()
      model.irVersion = message.ir_version
      model.producer = string(message.producer_name)
      model.producerVersion = string(message.producer_version)
      model.opsets = list(message.n_opset_import, message.opset_import).map { (string($0.domain), $0.version) }
      model.metadata = pairs(message.n_metadata_props, message.metadata_props)
      guard let graph = message.graph else { throw FileError(.malformed, "no graph") }
      model.graph = try self.graph(graph.pointee)
      return model
    }

    private mutating func graph(_ message: Onnx__GraphProto) throws(FileError) -> ONNXGraph {
      var graph = ONNXGraph()
      graph.name = string(message.name)
      for node in list(message.n_node, message.node) { graph.nodes.append(try self.node(node)) }
      for initializer in list(message.n_initializer, message.initializer) {
        switch try tensor(initializer) {
        case .success(let tensor): graph.initializers.append((string(initializer.name), tensor))
        case .failure(let error): graph.unreadable.append(error)
        }
      }
      graph.inputs = list(message.n_input, message.input).map(value)
      graph.outputs = list(message.n_output, message.output).map(value)
      return graph
    }

    private mutating func node(_ message: Onnx__NodeProto) throws(FileError) -> ONNXNode {
      var node = ONNXNode(
        string(message.op_type), name: string(message.name), domain: string(message.domain),
        inputs: (0..<message.n_input).map { string(message.input[$0]) },
        outputs: (0..<message.n_output).map { string(message.output[$0]) })
      for attribute in list(message.n_attribute, message.attribute) {
        let name = string(attribute.name)
        guard node.attributes.updateValue(try self.attribute(attribute, of: node), forKey: name) == nil else {
          throw FileError(.malformed, "node '\(escaped(node.name))': two attributes '\(escaped(name))'")
        }
      }
      node.metadata = pairs(message.n_metadata_props, message.metadata_props)
      return node
    }

    private mutating func attribute(_ message: Onnx__AttributeProto, of node: ONNXNode) throws(FileError)
      -> ONNXAttribute
    {
      switch message.has_type != 0 ? message.type : impliedType(message) {
      case AttributeType.float: return .float(message.f)
      case AttributeType.integer: return .integer(message.i)
      case AttributeType.string:
        if let text = text(message.s) { return .string(text) }
      case AttributeType.floats: return .floats(array(message.n_floats, message.floats))
      case AttributeType.integers: return .integers(array(message.n_ints, message.ints))
      case AttributeType.strings:
        let texts = (0..<message.n_strings).compactMap { text(message.strings[$0]) }
        if texts.count == message.n_strings { return .strings(texts) }
      case AttributeType.tensor:
        guard let tensor = message.t else { break }
        switch try self.tensor(tensor.pointee) {
        case .success(let tensor): return .tensor(tensor)
        case .failure(let error): return .unreadable(error)
        }
      case AttributeType.graph:
        guard let graph = message.g else { break }
        return .graph(try self.graph(graph.pointee))
      default: break
      }
      return .unreadable(
        FileError(
          .unsupported,
          "node '\(escaped(node.name))': attribute '\(escaped(string(message.name)))' of type \(message.type) is not read"
        ))
    }

    /// The type of an attribute of the first version, which had no field for it.
    private func impliedType(_ message: Onnx__AttributeProto) -> Int32 {
      if message.has_f != 0 { return AttributeType.float }
      if message.has_i != 0 { return AttributeType.integer }
      if message.has_s != 0 { return AttributeType.string }
      if message.t != nil { return AttributeType.tensor }
      if message.g != nil { return AttributeType.graph }
      if message.n_floats > 0 { return AttributeType.floats }
      if message.n_ints > 0 { return AttributeType.integers }
      return message.n_strings > 0 ? AttributeType.strings : 0
    }

    private mutating func tensor(_ message: Onnx__TensorProto) throws(FileError) -> Result<Tensor, FileError> {
      var fields = TensorFields()
      fields.name = string(message.name)
      fields.shape = array(message.n_dims, message.dims)
      fields.type = message.data_type
      fields.floats = array(message.n_float_data, message.float_data)
      fields.int32s = array(message.n_int32_data, message.int32_data)
      fields.int64s = array(message.n_int64_data, message.int64_data)
      fields.doubles = array(message.n_double_data, message.double_data)
      fields.uint64s = array(message.n_uint64_data, message.uint64_data)
      if message.data_location != 0 { fields.external = pairs(message.n_external_data, message.external_data) }
      // The scanner wrote the number there.
      let number = UnsafeRawBufferPointer(start: message.raw_data.data, count: message.raw_data.len)
      let index = Int(UInt64(littleEndian: number.loadUnaligned(as: UInt64.self)))
      return try fields.tensor(tensors[index], data: &data)
    }

    private func value(_ message: Onnx__ValueInfoProto) -> ONNXValue {
      guard let type = message.type?.pointee.tensor_type?.pointee else {
        return ONNXValue(string(message.name), nil, nil)
      }
      let shape = type.shape.map { shape in
        list(shape.pointee.n_dim, shape.pointee.dim).map { dimension -> ONNXValue.Dimension in
          if dimension.has_dim_value != 0 { return .size(dimension.dim_value) }
          return dimension.dim_param == nil ? .unknown : .named(string(dimension.dim_param))
        }
      }
      let number = Int(type.elem_type)
      let dtype = dataTypes.indices.contains(number) ? dataTypes[number].dtype : nil
      return ONNXValue(string(message.name), dtype, shape)
    }

    /// Nil when the bytes, which may be any, are not UTF-8.
    private func text(_ bytes: ProtobufCBinaryData) -> String? {
      String(validating: UnsafeBufferPointer(start: bytes.data, count: bytes.len), as: UTF8.self)
    }

    private func pairs(
      _ count: Int, _ items: UnsafeMutablePointer<UnsafeMutablePointer<Onnx__StringStringEntryProto>?>?
    ) -> [(key: String, value: String)] {
      list(count, items).map { (string($0.key), string($0.value)) }
    }

    private func list<T>(_ count: Int, _ items: UnsafeMutablePointer<UnsafeMutablePointer<T>?>?) -> [T] {
      (0..<count).compactMap { items?[$0]?.pointee }
    }

    private func array<T>(_ count: Int, _ items: UnsafeMutablePointer<T>?) -> [T] {
      Array(UnsafeBufferPointer(start: items, count: count))
    }

    private func string(_ text: UnsafeMutablePointer<CChar>?) -> String { text.map { String(cString: $0) } ?? "" }
  }
}

/// A model's message, packed: what protobuf-c makes of it, and the tensors' data, which is not read before it is
/// written.
struct PackedONNX {
  enum Part {
    case bytes([UInt8])
    case data(of: String, Bytes)
  }

  /// What follows what.
  let parts: [Part]

  /// Throws `unsupported` when the message is larger than protobuf allows.
  init(_ model: ONNXModel, external: [String: [(key: String, value: String)]] = [:]) throws(FileError) {
    let packer = ONNXPacker(external: external)
    // The graph comes last, as protobuf allows: a file that is cut anywhere has none that is whole.
    let messages = [try packer.model(model), try packer.model(onlyGraph: model.graph)]
    let size = messages.reduce(0) { $0 + onnx__model_proto__get_packed_size($1) }
    guard size <= ONNX.maximumFileSize else {
      throw FileError(
        .unsupported, "a model of \(size) bytes in one file, ONNX allows \(ONNX.maximumFileSize)",
        hint: "Its tensors need external data")
    }
    parts = messages.flatMap { packer.pack($0) }
  }
}

/// Builds protobuf-c's structures in memory that lives as long as the packer.
private final class ONNXPacker: MessageMemory {
  private let external: [String: [(key: String, value: String)]]
  private var payloads: [(name: String, bytes: Bytes)] = []
  /// Addresses that stand for payloads: protobuf-c hands a field's address on and never reads what is there.
  private let places = UnsafeMutablePointer<UInt8>.allocate(capacity: Limits.tensors)
  private var parts: [PackedONNX.Part] = []
  private var pending: [UInt8] = []

  init(external: [String: [(key: String, value: String)]]) { self.external = external }

  deinit { places.deallocate() }

  /// What protobuf-c appends to a buffer, collected.
  func pack(_ message: UnsafeMutablePointer<Onnx__ModelProto>) -> [PackedONNX.Part] {
    // A buffer that knows its packer: protobuf-c's structure, and a pointer behind it.
    let size = MemoryLayout<ProtobufCBuffer>.stride
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: size + MemoryLayout<UnsafeRawPointer>.size, alignment: 16)
    defer { buffer.deallocate() }
    buffer.storeBytes(
      of: Unmanaged.passUnretained(self).toOpaque(), toByteOffset: size, as: UnsafeMutableRawPointer.self)
    let base = buffer.bindMemory(to: ProtobufCBuffer.self, capacity: 1)
    base.pointee.append = { buffer, count, data in
      guard let buffer, let data else { return }
      let packer = UnsafeRawPointer(buffer + 1).load(as: UnsafeRawPointer.self)
      Unmanaged<ONNXPacker>.fromOpaque(packer).takeUnretainedValue().append(count, data)
    }
    onnx__model_proto__pack_to_buffer(message, base)
    defer { (parts, pending) = ([], []) }
    return parts + [.bytes(pending)]
  }

  private func append(_ count: Int, _ data: UnsafePointer<UInt8>) {
    let place = UnsafePointer(places).distance(to: data)
    guard payloads.indices.contains(place) else {
      pending.append(contentsOf: UnsafeBufferPointer(start: data, count: count))
      return
    }
    parts.append(.bytes(pending))
    pending = []
    parts.append(.data(of: payloads[place].name, payloads[place].bytes))
  }

  func model(_ model: ONNXModel) throws(FileError) -> UnsafeMutablePointer<Onnx__ModelProto> {
    let message = new(onnx__model_proto__init)
    (message.pointee.has_ir_version, message.pointee.ir_version) = (1, model.irVersion)
    message.pointee.producer_name = try string(model.producer)
    message.pointee.producer_version = try string(model.producerVersion)
    (message.pointee.n_opset_import, message.pointee.opset_import) = try list(model.opsets) {
      (opset) throws(FileError) in
      let message = new(onnx__operator_set_id_proto__init)
      message.pointee.domain = try string(opset.domain)
      (message.pointee.has_version, message.pointee.version) = (1, opset.version)
      return message
    }
    (message.pointee.n_metadata_props, message.pointee.metadata_props) = try pairs(model.metadata)
    return message
  }

  func model(onlyGraph graph: ONNXGraph) throws(FileError) -> UnsafeMutablePointer<Onnx__ModelProto> {
    let message = new(onnx__model_proto__init)
    message.pointee.graph = try self.graph(graph, isMain: true)
    return message
  }

  private func graph(_ graph: ONNXGraph, isMain: Bool) throws(FileError) -> UnsafeMutablePointer<Onnx__GraphProto> {
    let message = new(onnx__graph_proto__init)
    message.pointee.name = try string(graph.name)
    (message.pointee.n_node, message.pointee.node) = try list(graph.nodes, node)
    (message.pointee.n_initializer, message.pointee.initializer) = try list(graph.initializers) {
      (item) throws(FileError) in
      try tensor(item.tensor, named: item.name, external: isMain ? external[item.name] : nil)
    }
    (message.pointee.n_input, message.pointee.input) = try list(graph.inputs, value)
    (message.pointee.n_output, message.pointee.output) = try list(graph.outputs, value)
    return message
  }

  private func node(_ node: ONNXNode) throws(FileError) -> UnsafeMutablePointer<Onnx__NodeProto> {
    let message = new(onnx__node_proto__init)
    (message.pointee.n_input, message.pointee.input) = try list(node.inputs, string)
    (message.pointee.n_output, message.pointee.output) = try list(node.outputs, string)
    if !node.name.isEmpty { message.pointee.name = try string(node.name) }
    message.pointee.op_type = try string(node.kind)
    if !node.domain.isEmpty { message.pointee.domain = try string(node.domain) }
    let names = node.attributes.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    (message.pointee.n_attribute, message.pointee.attribute) = try list(names) { (name) throws(FileError) in
      guard let value = node.attributes[name] else { return nil }
      return try attribute(value, named: name)
    }
    (message.pointee.n_metadata_props, message.pointee.metadata_props) = try pairs(node.metadata)
    return message
  }

  private func attribute(_ value: ONNXAttribute, named name: String) throws(FileError)
    -> UnsafeMutablePointer<Onnx__AttributeProto>
  {
    let message = new(onnx__attribute_proto__init)
    message.pointee.name = try string(name)
    message.pointee.has_type = 1
    switch value {
    case .float(let value):
      message.pointee.type = ONNX.AttributeType.float
      (message.pointee.has_f, message.pointee.f) = (1, value)
    case .integer(let value):
      message.pointee.type = ONNX.AttributeType.integer
      (message.pointee.has_i, message.pointee.i) = (1, value)
    case .string(let text):
      message.pointee.type = ONNX.AttributeType.string
      (message.pointee.has_s, message.pointee.s) = (1, bytes(text))
    case .tensor(let value):
      message.pointee.type = ONNX.AttributeType.tensor
      message.pointee.t = try tensor(value, named: "", external: nil)
    case .graph(let value):
      message.pointee.type = ONNX.AttributeType.graph
      message.pointee.g = try graph(value, isMain: false)
    case .floats(let values):
      message.pointee.type = ONNX.AttributeType.floats
      (message.pointee.n_floats, message.pointee.floats) = (values.count, copy(values))
    case .integers(let values):
      message.pointee.type = ONNX.AttributeType.integers
      (message.pointee.n_ints, message.pointee.ints) = (values.count, copy(values))
    case .strings(let texts):
      message.pointee.type = ONNX.AttributeType.strings
      (message.pointee.n_strings, message.pointee.strings) = (texts.count, copy(texts.map(bytes)))
    case .unreadable(let error): throw error
    }
    return message
  }

  private func tensor(_ tensor: Tensor, named name: String, external: [(key: String, value: String)]?)
    throws(FileError) -> UnsafeMutablePointer<Onnx__TensorProto>
  {
    guard let number = ONNX.number(of: tensor.dtype) else {
      throw FileError(.unsupported, "ONNX cannot store \(tensor.dtype)", tensor: name)
    }
    let message = new(onnx__tensor_proto__init)
    if !name.isEmpty { message.pointee.name = try string(name) }
    (message.pointee.n_dims, message.pointee.dims) = (tensor.shape.count, copy(tensor.shape.map(Int64.init)))
    (message.pointee.has_data_type, message.pointee.data_type) = (1, number)
    if let external {
      (message.pointee.n_external_data, message.pointee.external_data) = try pairs(external)
      (message.pointee.has_data_location, message.pointee.data_location) = (1, 1)
      return message
    }
    guard payloads.count < Limits.tensors else {
      throw FileError(.unsupported, "more than \(Limits.tensors) tensors")
    }
    message.pointee.has_raw_data = 1
    message.pointee.raw_data = ProtobufCBinaryData(len: tensor.bytes.count, data: places + payloads.count)
    payloads.append((name, tensor.bytes))
    return message
  }

  private func value(_ value: ONNXValue) throws(FileError) -> UnsafeMutablePointer<Onnx__ValueInfoProto> {
    let message = new(onnx__value_info_proto__init)
    message.pointee.name = try string(value.name)
    guard let number = value.dtype.flatMap(ONNX.number) else { return message }
    let tensor = new(onnx__type_proto__tensor__init)
    (tensor.pointee.has_elem_type, tensor.pointee.elem_type) = (1, number)
    if let dimensions = value.shape {
      let shape = new(onnx__tensor_shape_proto__init)
      (shape.pointee.n_dim, shape.pointee.dim) = try list(dimensions) { (dimension) throws(FileError) in
        let message = new(onnx__tensor_shape_proto__dimension__init)
        switch dimension {
        case .size(let size): (message.pointee.has_dim_value, message.pointee.dim_value) = (1, size)
        case .named(let name): message.pointee.dim_param = try string(name)
        case .unknown: break
        }
        return message
      }
      tensor.pointee.shape = shape
    }
    let type = new(onnx__type_proto__init)
    type.pointee.tensor_type = tensor
    message.pointee.type = type
    return message
  }

  private func bytes(_ text: String) -> ProtobufCBinaryData {
    ProtobufCBinaryData(len: text.utf8.count, data: copy(Array(text.utf8)))
  }

  private func pairs(_ pairs: [(key: String, value: String)]) throws(FileError)
    -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<Onnx__StringStringEntryProto>?>?)
  {
    try list(pairs) { (pair) throws(FileError) in
      let message = new(onnx__string_string_entry_proto__init)
      message.pointee.key = try string(pair.key)
      message.pointee.value = try string(pair.value)
      return message
    }
  }
}
