import Checkpoints

/// Operators that find elements by indices which are themselves tensors.
enum Indexing {
  /// Indices of any whole type, counted from the end when negative, all within `size`.
  private static func indices(_ tensor: DenseTensor, below size: Int) throws(FileError) -> [Int] {
    var result = try tensor.integers()
    for (place, index) in result.enumerated() {
      let absolute = index < 0 ? index + size : index
      guard (0..<size).contains(absolute) else {
        throw FileError(.malformed, "index \(index) of \(size)")
      }
      result[place] = absolute
    }
    return result
  }

  /// `Gather`: slices along an axis.
  static func gather(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (tensor, places) = (try call.input(0), try call.input(1))
    let axis = try call.axis(call.integer("axis", default: 0), rank: tensor.shape.count)
    guard axis < tensor.shape.count else { throw FileError(.mismatch, "a number has no slices") }
    let size = tensor.shape[axis]
    let picked = try indices(places, below: size)
    let outer = tensor.shape[..<axis].reduce(1, *)
    let block = tensor.shape[(axis + 1)...].reduce(1, *) * tensor.dtype.blockBytes
    let shape = tensor.shape[..<axis] + places.shape + tensor.shape[(axis + 1)...]
    return [
      try call.shop.make(
        tensor.dtype, Array(shape),
        copying: { target in
          tensor.readRaw { source in
            guard block > 0, let from = source.baseAddress, var to = target.baseAddress else { return }
            for row in 0..<outer {
              for place in picked {
                to.copyMemory(from: from + (row * size + place) * block, byteCount: block)
                to += block
              }
            }
          }
        })
    ]
  }

  /// `GatherElements`: for each index the element at that place along the axis, and at its own along the others.
  static func gatherElements(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (tensor, places) = (try call.input(0), try call.input(1))
    let axis = try call.axis(call.integer("axis", default: 0), rank: tensor.shape.count)
    let picked = try indices(places, below: tensor.shape.isEmpty ? 0 : tensor.shape[axis])
    try checkInside(places.shape, tensor.shape, except: axis)
    let offsets = elementOffsets(places.shape, picked, axis: axis, in: tensor.shape)
    return [try call.shop.elements(of: tensor, at: offsets, shape: places.shape)]
  }

  private static func checkInside(_ shape: [Int], _ outer: [Int], except axis: Int) throws(FileError) {
    let fits =
      shape.count == outer.count && shape.indices.allSatisfy { $0 == axis || shape[$0] <= outer[$0] }
    guard fits else { throw FileError(.mismatch, "indices of shape \(shape) for \(outer)") }
  }

  private static func elementOffsets(_ shape: [Int], _ places: [Int], axis: Int, in outer: [Int]) -> [Int] {
    let strides = rowMajorStrides(outer)
    var index = [Int](repeating: 0, count: shape.count)
    return places.map { place in
      var offset = place * strides[axis]
      for other in shape.indices where other != axis { offset += index[other] * strides[other] }
      for other in shape.indices.reversed() {
        index[other] += 1
        if index[other] < shape[other] { break }
        index[other] = 0
      }
      return offset
    }
  }

  /// Blocks that tuples of indices name, of a tensor with `batch` leading dimensions in common.
  private struct Tuples {
    var offsets: [Int] = []
    var block: Int
    var blockShape: [Int]

    init(_ tensor: DenseTensor, _ places: DenseTensor, batch: Int) throws(FileError) {
      guard let length = places.shape.last, (0..<places.shape.count).contains(batch), batch <= tensor.shape.count,
        (1...max(1, tensor.shape.count - batch)).contains(length), length <= tensor.shape.count - batch,
        tensor.shape[..<batch] == places.shape[..<batch]
      else { throw FileError(.mismatch, "indices of shape \(places.shape) for \(tensor.shape)") }
      blockShape = Array(tensor.shape[(batch + length)...])
      block = blockShape.reduce(1, *)
      let strides = rowMajorStrides(tensor.shape)
      let values = try places.integers()
      let perBatch = places.shape[batch..<(places.shape.count - 1)].reduce(1, *)
      let batchSize = tensor.shape[batch...].reduce(1, *)
      for tuple in 0..<(values.count / length) {
        var offset = perBatch == 0 ? 0 : tuple / perBatch * batchSize
        for part in 0..<length {
          let (size, given) = (tensor.shape[batch + part], values[tuple * length + part])
          let place = given < 0 ? given + size : given
          guard (0..<size).contains(place) else { throw FileError(.malformed, "index \(given) of \(size)") }
          offset += place * strides[batch + part]
        }
        offsets.append(offset)
      }
    }
  }

  static func gatherND(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (tensor, places) = (try call.input(0), try call.input(1))
    let tuples = try Tuples(tensor, places, batch: call.integer("batch_dims", default: 0))
    let bytes = tuples.block * tensor.dtype.blockBytes
    let size = tensor.dtype.blockBytes
    return [
      try call.shop.make(
        tensor.dtype, places.shape.dropLast() + tuples.blockShape,
        copying: { target in
          tensor.readRaw { source in
            guard bytes > 0, let from = source.baseAddress, let to = target.baseAddress else { return }
            for (row, offset) in tuples.offsets.enumerated() {
              (to + row * bytes).copyMemory(from: from + offset * size, byteCount: bytes)
            }
          }
        })
    ]
  }

  // MARK: Scattering

  static func scatterND(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (tensor, places, updates) = (try call.input(0), try call.input(1), try call.input(2))
    let tuples = try Tuples(tensor, places, batch: 0)
    guard updates.shape == places.shape.dropLast() + tuples.blockShape else {
      throw FileError(.mismatch, "updates of shape \(updates.shape)")
    }
    let block = tuples.block
    return [try scatter(call, tensor, updates) { (tuples.offsets[$0 / max(1, block)]) + $0 % max(1, block) }]
  }

  static func scatterElements(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (tensor, places, updates) = (try call.input(0), try call.input(1), try call.input(2))
    let axis = try call.axis(call.integer("axis", default: 0), rank: tensor.shape.count)
    let picked = try indices(places, below: tensor.shape.isEmpty ? 0 : tensor.shape[axis])
    try checkInside(places.shape, tensor.shape, except: axis)
    guard updates.shape == places.shape else { throw FileError(.mismatch, "updates of shape \(updates.shape)") }
    let offsets = elementOffsets(places.shape, picked, axis: axis, in: tensor.shape)
    return [try scatter(call, tensor, updates) { offsets[$0] }]
  }

  private static func scatter(
    _ call: NodeCall, _ tensor: DenseTensor, _ updates: DenseTensor, _ offset: @escaping (Int) -> Int
  ) throws(FileError) -> DenseTensor {
    guard tensor.dtype == updates.dtype else { throw FileError(.mismatch, "updates of type \(updates.dtype)") }
    let reduction = try call.string("reduction") ?? "none"
    let (target, source) = (try call.shop.widened(tensor), try call.shop.widened(updates))
    let body = Scatter(target: target, source: source, reduction: reduction, offset: offset, shop: call.shop)
    return try call.narrowed(dispatch(target.dtype, body))
  }

  private struct Scatter: TypedBody {
    let target, source: DenseTensor
    let reduction: String
    let offset: (Int) -> Int
    let shop: Workshop

    func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
      let merge: (T, T) -> T
      switch reduction {
      case "none": merge = { $1 }
      case "add": merge = { T.sum($0, $1) }
      case "mul": merge = { T.product($0, $1) }
      case "max": merge = { $0 > $1 ? $0 : $1 }
      case "min": merge = { $0 < $1 ? $0 : $1 }
      default: throw FileError(.unsupported, "reduction '\(escaped(reduction))'")
      }
      return try shop.make(target.dtype, target.shape, as: T.self) { result in
        target.read(T.self) { _ = result.update(fromContentsOf: $0) }
        source.read(T.self) { values in
          for place in values.indices { result[offset(place)] = merge(result[offset(place)], values[place]) }
        }
      }
    }
  }

  // MARK: Indices as results

  static func nonZero(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let truth = try convert(call.input(0), to: .bool, call.shop)
    try call.shop.memory.admit(truth.count * 8)
    let places = truth.read(UInt8.self) { values in values.indices.filter { values[$0] != 0 } }
    let strides = rowMajorStrides(truth.shape)
    let rank = truth.shape.count
    return [
      try call.shop.make(.i64, [rank, places.count], as: Int64.self) { target in
        for (column, place) in places.enumerated() {
          for axis in 0..<rank {
            target[axis * places.count + column] = Int64(place / strides[axis] % max(1, truth.shape[axis]))
          }
        }
      }
    ]
  }

  static func oneHot(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (places, values) = (try convert(call.input(0), to: .i64, call.shop), try call.input(2))
    let depth = Int(try convert(call.input(1), to: .i64, call.shop).scalar())
    let axis = try call.axis(call.integer("axis", default: -1), rank: places.shape.count + 1)
    guard values.count == 2, depth > 0 else { throw FileError(.malformed, "a depth of \(depth)") }
    var shape = places.shape
    shape.insert(depth, at: axis)
    let inner = places.shape[axis...].reduce(1, *)
    _ = try values.dtype.byteCount(shape: shape)
    let indices = try places.integers()
    let count = try DType.elementCount(of: shape)
    try call.shop.memory.admit(count.multipliedReportingOverflow(by: 8).overflow ? .max : count * 8)
    var offsets = [Int](repeating: 0, count: count)
    for (place, given) in indices.enumerated() {
      let index = given < 0 ? given.addingReportingOverflow(depth).partialValue : given
      guard (0..<depth).contains(index) else { continue }
      offsets[(place / inner * depth + index) * inner + place % inner] = 1
    }
    return [try call.shop.elements(of: values, at: offsets, shape: shape)]
  }
}

extension Workshop {
  /// Single elements by their place.
  func elements(of tensor: DenseTensor, at offsets: [Int], shape: [Int]) throws(FileError) -> DenseTensor {
    func pick<Value: BitwiseCopyable>(_ type: Value.Type) throws(FileError) -> DenseTensor {
      try make(tensor.dtype, shape, as: Value.self) { target in
        tensor.read(Value.self) { source in
          for (place, offset) in offsets.enumerated() { target[place] = source[offset] }
        }
      }
    }
    switch tensor.dtype.blockBytes {
    case 1: return try pick(UInt8.self)
    case 2: return try pick(UInt16.self)
    case 4: return try pick(UInt32.self)
    default: return try pick(UInt64.self)
    }
  }
}
