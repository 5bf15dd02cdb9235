import Checkpoints

/// Windows that slide over the spatial dimensions of a tensor [items, channels, …].
struct Windows {
  let input: [Int]
  let kernel: [Int]
  let strides: [Int]
  let dilations: [Int]
  private(set) var before: [Int]
  private var after: [Int]
  /// The spatial dimensions of the result: one number for each place of a window.
  private(set) var output: [Int] = []

  /// The places of a window in the input, and those of the result.
  var area: Int { kernel.reduce(1, *) }
  var places: Int { output.reduce(1, *) }

  init(_ call: NodeCall, input shape: [Int], kernel: [Int]) throws(FileError) {
    guard shape.count > 2, kernel.count == shape.count - 2, kernel.allSatisfy({ $0 > 0 }) else {
      throw FileError(.mismatch, "windows \(kernel) over shape \(shape)")
    }
    let rank = kernel.count
    input = Array(shape[2...])
    self.kernel = kernel
    strides = try call.integers("strides") ?? [Int](repeating: 1, count: rank)
    dilations = try call.integers("dilations") ?? [Int](repeating: 1, count: rank)
    let pads = try call.integers("pads") ?? [Int](repeating: 0, count: 2 * rank)
    let isBounded = (strides + dilations).allSatisfy { (1...Self.limit).contains($0) }
    guard strides.count == rank, dilations.count == rank, pads.count == 2 * rank, isBounded,
      pads.allSatisfy({ (0...Self.limit).contains($0) }), (input + kernel).allSatisfy({ $0 <= Self.limit })
    else { throw FileError(.malformed, "windows with strides \(strides), dilations \(dilations), pads \(pads)") }
    (before, after) = (Array(pads[..<rank]), Array(pads[rank...]))
    try place(call)
  }

  /// More than any picture has.
  private static let limit = 1 << 24

  private mutating func place(_ call: NodeCall) throws(FileError) {
    let mode = try call.string("auto_pad") ?? "NOTSET"
    let roundsUp = try call.flag("ceil_mode")
    for axis in kernel.indices {
      let reach = dilations[axis] * (kernel[axis] - 1) + 1
      switch mode {
      case "NOTSET": break
      case "VALID": (before[axis], after[axis]) = (0, 0)
      case "SAME_UPPER", "SAME_LOWER":
        let size = (input[axis] + strides[axis] - 1) / strides[axis]
        let total = max(0, (size - 1) * strides[axis] + reach - input[axis])
        before[axis] = mode == "SAME_UPPER" ? total / 2 : total - total / 2
        after[axis] = total - before[axis]
      default: throw FileError(.unsupported, "auto_pad '\(escaped(mode))'")
      }
      let room = input[axis] + before[axis] + after[axis] - reach
      guard room >= 0 else { throw FileError(.mismatch, "windows of \(reach) over \(input[axis])") }
      var size = (room + (roundsUp ? strides[axis] - 1 : 0)) / strides[axis] + 1
      // A window that begins behind the input is none.
      if roundsUp, (size - 1) * strides[axis] >= input[axis] + before[axis] { size -= 1 }
      output.append(size)
    }
  }

  /// For each axis, where a window at `place` begins in the input.
  func start(_ place: Int) -> [Int] {
    var (rest, result) = (place, [Int](repeating: 0, count: kernel.count))
    for axis in kernel.indices.reversed() {
      result[axis] = rest % output[axis] * strides[axis] - before[axis]
      rest /= output[axis]
    }
    return result
  }

  /// The offsets in one plane of the input that the window at `place` has, in its order; -1 for what is outside.
  func offsets(_ place: Int, into offsets: inout [Int]) {
    let start = start(place)
    if kernel.count == 2 { return planeOffsets(start, into: &offsets) }
    for position in 0..<area {
      var (rest, offset, stride) = (position, 0, 1)
      for axis in kernel.indices.reversed() {
        let at = start[axis] + rest % kernel[axis] * dilations[axis]
        rest /= kernel[axis]
        if at < 0 || at >= input[axis] { offset = -1 }
        if offset >= 0 { offset += at * stride }
        stride *= input[axis]
      }
      offsets[position] = offset
    }
  }

  private func planeOffsets(_ start: [Int], into offsets: inout [Int]) {
    var position = 0
    for y in 0..<kernel[0] {
      let row = start[0] + y * dilations[0]
      for x in 0..<kernel[1] {
        let column = start[1] + x * dilations[1]
        let isInside = row >= 0 && row < input[0] && column >= 0 && column < input[1]
        offsets[position] = isInside ? row * input[1] + column : -1
        position += 1
      }
    }
  }

  /// How many places a window that begins at `place` has that are inside the input and its padding.
  func padded(_ place: Int) -> Int {
    let start = start(place)
    return kernel.indices.reduce(1) { count, axis in
      let end = input[axis] + after[axis]
      return count * (0..<kernel[axis]).count { start[axis] + $0 * dilations[axis] < end }
    }
  }
}

/// Pools.
enum Pools {
  static func pool(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    guard let kernel = try call.integers("kernel_shape") else { throw FileError(.malformed, "no kernel_shape") }
    let isMaximum = call.node.kind == "MaxPool"
    let given = try call.input(0)
    let isWhole = isMaximum && !given.dtype.isFloat
    let x = isWhole ? try convert(given, to: .f32, call.shop) : try call.floats(0)
    let windows = try Windows(call, input: x.shape, kernel: kernel)
    let countsPadding = try call.flag("count_include_pad")
    let planes = x.shape[0] * x.shape[1]
    let size = windows.input.reduce(1, *)
    let shape = Array(x.shape[..<2]) + windows.output
    _ = try DType.f32.byteCount(shape: shape)
    try call.shop.memory.charge(shape.reduce(1, *).multipliedReportingOverflow(by: windows.area).partialValue)
    let result = try call.shop.make(.f32, shape, as: Float.self) { target in
      x.read(Float.self) { source in
        guard target.count > 0, let out = target.baseAddress else { return }
        var offsets = [Int](repeating: 0, count: windows.area)
        for place in 0..<windows.places {
          windows.offsets(place, into: &offsets)
          let inside = offsets.filter { $0 >= 0 }
          let count = countsPadding ? windows.padded(place) : inside.count
          for plane in 0..<planes {
            let target = out + plane * windows.places + place
            if isMaximum {
              target.pointee = inside.reduce(-Float.infinity) { max($0, source[plane * size + $1]) }
            } else {
              // In f32 and in this order, as ONNX Runtime does: quantised graphs round what comes of it.
              target.pointee = inside.reduce(0) { $0 + source[plane * size + $1] } / Float(count)
            }
          }
        }
      }
    }
    var outputs = [isWhole ? try convert(result, to: given.dtype, call.shop) : try call.narrowed(result)]
    if isMaximum, call.node.outputs.count > 1 { outputs.append(try places(x, windows, shape, call)) }
    return outputs
  }

  /// Where in the whole input the largest number of each window is.
  private static func places(
    _ x: DenseTensor, _ windows: Windows, _ shape: [Int], _ call: NodeCall
  ) throws(FileError) -> DenseTensor {
    let size = windows.input.reduce(1, *)
    let isColumnMajor = try call.flag("storage_order")
    return try call.shop.make(.i64, shape, as: Int64.self) { target in
      x.read(Float.self) { source in
        var offsets = [Int](repeating: 0, count: windows.area)
        for index in target.indices {
          let (plane, place) = (index / windows.places, index % windows.places)
          windows.offsets(place, into: &offsets)
          var best = -1
          for offset in offsets where offset >= 0 {
            if best < 0 || source[plane * size + offset] > source[plane * size + best] { best = offset }
          }
          if isColumnMajor, let width = windows.input.last, best >= 0 {
            best = best % width * (size / width) + best / width
          }
          target[index] = Int64(plane * size + best)
        }
      }
    }
  }

  /// `GlobalAveragePool` and `GlobalMaxPool`.
  static func global(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let x = try call.input(0)
    guard x.shape.count > 2 else { throw FileError(.mismatch, "shape \(x.shape) has no planes") }
    let reduction: Reduction = call.node.kind == "GlobalAveragePool" ? .mean : .maximum
    return [try reduction.reduce(x, axes: Array(2..<x.shape.count), keepsAxes: true, call.shop)]
  }
}
