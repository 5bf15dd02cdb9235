import Checkpoints

/// Operators that move elements by rules: transposition, repetition, slices, concatenation.
enum Movement {
  static func transpose(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    let rank = tensor.shape.count
    let order = try call.integers("perm") ?? Array((0..<rank).reversed())
    guard order.sorted() == Array(0..<rank) else {
      throw FileError(.malformed, "perm \(order) of \(rank) dimensions")
    }
    return [try transposed(tensor, order, call.shop)]
  }

  static func transposed(_ tensor: DenseTensor, _ order: [Int], _ shop: Workshop) throws(FileError) -> DenseTensor {
    let shape = order.map { tensor.shape[$0] }
    // Where only dimensions of one move, the elements stay.
    let moved = order.filter { tensor.shape[$0] != 1 }
    if moved == moved.sorted() { return tensor.reshaped(shape) }
    let strides = rowMajorStrides(tensor.shape)
    return try shop.gathered(tensor, shape: shape, strides: order.map { strides[$0] })
  }

  static func expand(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    guard let wanted = try call.integers(1) else { throw FileError(.malformed, "no shape") }
    _ = try DType.elementCount(of: wanted)
    let shape = try broadcastShape([tensor.shape, wanted])
    guard shape != tensor.shape else { return [tensor] }
    _ = try DType.elementCount(of: shape)
    return [try call.shop.gathered(tensor, shape: shape, strides: broadcastStrides(tensor.shape, to: shape))]
  }

  static func tile(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    guard let repeats = try call.integers(1), repeats.count == tensor.shape.count else {
      throw FileError(.mismatch, "not one repeat for each dimension")
    }
    // Each dimension is two: the repeats, at a distance of 0, and the elements.
    var (shape, split, strides): ([Int], [Int], [Int]) = ([], [], [])
    for (axis, stride) in rowMajorStrides(tensor.shape).enumerated() {
      let (size, overflow) = repeats[axis].multipliedReportingOverflow(by: tensor.shape[axis])
      guard !overflow, repeats[axis] >= 0 else { throw FileError(.malformed, "repeats \(repeats)") }
      shape.append(size)
      split += [repeats[axis], tensor.shape[axis]]
      strides += [0, stride]
    }
    _ = try tensor.dtype.byteCount(shape: shape)
    return [try call.shop.gathered(tensor, shape: split, strides: strides).reshaped(shape)]
  }

  static func concatenate(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let inputs = try call.allInputs()
    guard let axis = try call.integer("axis") else { throw FileError(.malformed, "no axis") }
    return [try concatenated(inputs, axis: call.axis(axis, rank: inputs[0].shape.count), call.shop)]
  }

  static func concatenated(_ parts: [DenseTensor], axis: Int, _ shop: Workshop) throws(FileError) -> DenseTensor {
    let first = parts[0]
    guard axis < first.shape.count else { throw FileError(.mismatch, "numbers without dimensions to concatenate") }
    var shape = first.shape
    shape[axis] = 0
    for part in parts {
      var other = part.shape
      guard other.count == shape.count, part.dtype == first.dtype else {
        throw FileError(.mismatch, "\(first.dtype) \(first.shape) beside \(part.dtype) \(part.shape)")
      }
      let (sum, overflow) = shape[axis].addingReportingOverflow(other[axis])
      other[axis] = sum
      shape[axis] = sum
      guard !overflow, other == shape else {
        throw FileError(.mismatch, "shapes \(first.shape) and \(part.shape) along axis \(axis)")
      }
    }
    let outer = shape[..<axis].reduce(1, *)
    let inner = shape[(axis + 1)...].reduce(1, *) * first.dtype.blockBytes
    // Copied as bytes: types of every width are alike.
    let target = try shop.make(
      first.dtype, shape,
      copying: { (target) throws(FileError) in
        var offset = 0
        for part in parts {
          let block = part.shape[axis] * inner
          part.readRaw { source in
            guard block > 0, let from = source.baseAddress, let to = target.baseAddress else { return }
            for row in 0..<outer {
              (to + row * shape[axis] * inner + offset).copyMemory(from: from + row * block, byteCount: block)
            }
          }
          offset += block
        }
      })
    return target
  }

  static func split(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    let axis = try call.axis(call.integer("axis", default: 0), rank: tensor.shape.count)
    guard axis < tensor.shape.count else { throw FileError(.mismatch, "a number cannot be split") }
    let size = tensor.shape[axis]
    var lengths: [Int]
    if let given = try call.integers(attribute: "split", orInput: 1) {
      lengths = given
    } else {
      let count = try call.integer("num_outputs", default: call.node.outputs.count)
      guard (1...max(1, call.node.outputs.count)).contains(count) else {
        throw FileError(.malformed, "\(count) parts for \(call.node.outputs.count) outputs")
      }
      let length = (size + count - 1) / count
      lengths = (0..<count).map { max(0, min(length, size - $0 * length)) }
    }
    guard lengths.allSatisfy({ $0 >= 0 && $0 <= size }), lengths.reduce(0, &+) == size else {
      throw FileError(.mismatch, "parts of \(lengths) make no \(size)")
    }
    let strides = rowMajorStrides(tensor.shape)
    var result: [DenseTensor] = []
    var start = 0
    for length in lengths {
      var shape = tensor.shape
      shape[axis] = length
      result.append(
        try call.shop.gathered(tensor, shape: shape, offset: start * strides[axis], strides: strides))
      start += length
    }
    return result
  }

  /// `Slice`, whose bounds are attributes before opset 10.
  static func slice(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    let rank = tensor.shape.count
    guard let starts = try call.integers(attribute: "starts", orInput: 1),
      let ends = try call.integers(attribute: "ends", orInput: 2)
    else { throw FileError(.malformed, "no starts or no ends") }
    let axes = try call.integers(attribute: "axes", orInput: 3) ?? Array(0..<starts.count)
    let steps = try call.integers(4) ?? starts.map { _ in 1 }
    guard ends.count == starts.count, axes.count == starts.count, steps.count == starts.count,
      try call.axes(axes, rank: rank).count <= rank
    else { throw FileError(.mismatch, "starts, ends, axes and steps of several lengths") }
    var (shape, strides) = (tensor.shape, rowMajorStrides(tensor.shape))
    var offset = 0
    for (index, given) in axes.enumerated() {
      let axis = try call.axis(given, rank: rank)
      let (size, step) = (shape[axis], steps[index])
      guard step != 0, step != .min else { throw FileError(.malformed, "a step of \(step)") }
      func place(_ value: Int, _ range: ClosedRange<Int>) -> Int {
        let absolute = value < 0 ? value.addingReportingOverflow(size).partialValue : value
        return min(max(absolute, range.lowerBound), range.upperBound)
      }
      let start = place(starts[index], step > 0 ? 0...size : -1...(max(size, 1) - 1))
      // A negative end counts from the end, so that "before the first" is only said by what lies far below.
      let end = place(ends[index], step > 0 ? 0...size : -1...(max(size, 1) - 1))
      let length = step > 0 ? (max(0, end - start) + step - 1) / step : (max(0, start - end) - step - 1) / -step
      offset += length > 0 ? start * strides[axis] : 0
      shape[axis] = size == 0 ? 0 : length
      strides[axis] = length > 1 ? strides[axis] * step : strides[axis]
    }
    if shape == tensor.shape, offset == 0, strides == rowMajorStrides(shape) { return [tensor] }
    return [try call.shop.gathered(tensor, shape: shape, offset: offset, strides: strides)]
  }

  /// `Pad` with a constant, the edge, a mirror or the other side.
  static func pad(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    let rank = tensor.shape.count
    let mode = try call.string("mode") ?? "constant"
    guard let given = try call.integers(attribute: "pads", orInput: 1) else { throw FileError(.malformed, "no pads") }
    let axes = try call.integers(3) ?? Array(0..<rank)
    guard given.count == 2 * axes.count, given.allSatisfy({ abs($0.addingReportingOverflow(0).partialValue) < 1 << 40 })
    else { throw FileError(.mismatch, "pads \(given) for axes \(axes)") }
    _ = try call.axes(axes, rank: rank)
    var (before, shape) = ([Int](repeating: 0, count: rank), tensor.shape)
    for (index, name) in axes.enumerated() {
      let axis = try call.axis(name, rank: rank)
      before[axis] = given[index]
      shape[axis] += given[index] + given[axes.count + index]
      guard shape[axis] >= 0 else { throw FileError(.malformed, "pads \(given) of shape \(tensor.shape)") }
    }
    var value: DenseTensor?
    if let given = call.optional(2) {
      value = given
    } else if let given = try call.float("value") {
      value = try convert(call.shop.make(.f32, [], [given]), to: tensor.dtype, call.shop)
    }
    guard value.map({ $0.dtype == tensor.dtype && $0.count == 1 }) ?? true else {
      throw FileError(.mismatch, "a value of another type, or several")
    }
    // For each dimension, which place of the source each place of the result has; -1 is outside.
    var maps: [[Int]] = []
    for axis in 0..<rank {
      _ = try call.shop.memory.admit(shape[axis] * 8)
      maps.append(
        try (0..<shape[axis]).map { (place) throws(FileError) in
          try source(place - before[axis], of: tensor.shape[axis], mode)
        })
    }
    return [try call.shop.picked(tensor, shape: shape, maps: maps, outside: value)]
  }

  private static func source(_ place: Int, of size: Int, _ mode: String) throws(FileError) -> Int {
    if (0..<size).contains(place) { return place }
    switch mode {
    case "constant": return -1
    case "edge" where size > 0: return min(max(place, 0), size - 1)
    case "wrap" where size > 0: return ((place % size) + size) % size
    case "reflect" where size > 1:
      let period = 2 * (size - 1)
      let within = ((place % period) + period) % period
      return within < size ? within : period - within
    case "reflect" where size == 1: return 0
    default: throw FileError(.unsupported, "padding of \(size) by '\(escaped(mode))'")
    }
  }

  /// `Trilu`: what is above, or below, a diagonal; zeros elsewhere.
  static func triangle(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    let shift = Int(try call.optional(1).map { (tensor) throws(FileError) in try tensor.scalar() } ?? 0)
    let isUpper = try call.flag("upper", default: true)
    guard tensor.shape.count > 1 else { throw FileError(.mismatch, "shape \(tensor.shape) is no matrix") }
    let (rows, columns) = (tensor.shape[tensor.shape.count - 2], tensor.shape[tensor.shape.count - 1])
    let size = tensor.dtype.blockBytes
    return [
      try call.shop.make(
        tensor.dtype, tensor.shape,
        copying: { target in
          tensor.readRaw { source in
            target.copyMemory(from: source)
            guard rows > 0, columns > 0, let start = target.baseAddress else { return }
            for row in 0..<(tensor.count / columns) {
              // The first column of the upper part, or behind the lower one.
              let diagonal = row % rows + max(-(1 << 40), min(1 << 40, shift))
              let edge = min(max(diagonal + (isUpper ? 0 : 1), 0), columns)
              let zeros = isUpper ? 0..<edge : edge..<columns
              (start + (row * columns + zeros.lowerBound) * size)
                .initializeMemory(as: UInt8.self, repeating: 0, count: zeros.count * size)
            }
          }
        })
    ]
  }
}

extension Workshop {
  /// A tensor whose bytes `fill` sets, all of them.
  func make(
    _ dtype: DType, _ shape: [Int], copying fill: (UnsafeMutableRawBufferPointer) throws(FileError) -> Void
  ) throws(FileError) -> DenseTensor {
    let bytes = try dtype.byteCount(shape: shape)
    try memory.charge(bytes / dtype.blockBytes)
    let storage = try memory.storage(bytes)
    try fill(UnsafeMutableRawBufferPointer(start: storage.start, count: bytes))
    return DenseTensor(dtype: dtype, shape: shape, storage: storage)
  }

  /// Elements picked along each dimension by place; a place of -1 is `outside`, or zero.
  func picked(
    _ tensor: DenseTensor, shape: [Int], maps: [[Int]], outside: DenseTensor? = nil
  ) throws(FileError) -> DenseTensor {
    switch tensor.dtype.blockBytes {
    case 1: try picked(tensor, shape, maps, outside, UInt8.self)
    case 2: try picked(tensor, shape, maps, outside, UInt16.self)
    case 4: try picked(tensor, shape, maps, outside, UInt32.self)
    default: try picked(tensor, shape, maps, outside, UInt64.self)
    }
  }

  private func picked<Value: FixedWidthInteger & BitwiseCopyable>(
    _ tensor: DenseTensor, _ shape: [Int], _ maps: [[Int]], _ outside: DenseTensor?, _ type: Value.Type
  ) throws(FileError) -> DenseTensor {
    let filler = outside?.read(Value.self) { $0[0] } ?? 0
    let strides = rowMajorStrides(tensor.shape)
    return try make(tensor.dtype, shape, as: Value.self) { target in
      tensor.read(Value.self) { source in
        var index = [Int](repeating: 0, count: shape.count)
        for place in target.indices {
          var (offset, isOutside) = (0, false)
          for axis in shape.indices {
            let from = maps[axis][index[axis]]
            if from < 0 { isOutside = true } else { offset += from * strides[axis] }
          }
          target[place] = isOutside ? filler : source[offset]
          for axis in shape.indices.reversed() {
            index[axis] += 1
            if index[axis] < shape[axis] { break }
            index[axis] = 0
          }
        }
      }
    }
  }
}
