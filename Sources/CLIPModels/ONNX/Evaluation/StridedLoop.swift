import Checkpoints

/// A loop over the elements of a result, and where in each operand they come from.
///
/// Dimensions that every operand walks in one step are one: elements of two tensors of one shape are a single row.
struct StridedLoop {
  /// The result's dimensions, as few as possible, at least one.
  private(set) var sizes: [Int]
  /// For each operand the distance between elements along each dimension; 0 where it is repeated.
  private(set) var strides: [[Int]]

  /// The elements of a result of `shape`, for operands with these distances.
  init(shape: [Int], strides given: [[Int]]) {
    (sizes, strides) = ([], given.map { _ in [] })
    for (axis, size) in shape.enumerated() where size != 1 {
      let canMerge = !sizes.isEmpty && given.indices.allSatisfy { strides[$0].last == given[$0][axis] * size }
      if canMerge { sizes[sizes.count - 1] *= size } else { sizes.append(size) }
      for operand in given.indices {
        if canMerge { strides[operand].removeLast() }
        strides[operand].append(given[operand][axis])
      }
    }
    if sizes.isEmpty {
      sizes = [1]
      for operand in given.indices { strides[operand] = [0] }
    }
  }

  /// Elements in an innermost row.
  var row: Int { sizes[sizes.count - 1] }
  /// The number of rows.
  var rows: Int { sizes.dropLast().reduce(1, *) }
  /// From one element of a row to the next, in an operand.
  func step(_ operand: Int) -> Int { strides[operand][sizes.count - 1] }

  /// Where rows begin: of three operands at most, which is all that any operator has.
  struct Offsets {
    var first = 0
    var second = 0
    var third = 0
  }

  /// Calls `body` with the number of each row in `range`, and where its elements begin in each operand.
  func forEachRow(_ range: Range<Int>, _ body: (Int, Offsets) -> Void) {
    let outer = sizes.count - 1
    let padded = strides + [[Int]](repeating: [Int](repeating: 0, count: sizes.count), count: 3 - strides.count)
    var index = [Int](repeating: 0, count: outer)
    var rest = range.lowerBound
    var offsets = Offsets()
    for axis in (0..<outer).reversed() where sizes[axis] > 0 {
      index[axis] = rest % sizes[axis]
      rest /= sizes[axis]
      offsets.first += index[axis] * padded[0][axis]
      offsets.second += index[axis] * padded[1][axis]
      offsets.third += index[axis] * padded[2][axis]
    }
    for row in range {
      body(row, offsets)
      var axis = outer - 1
      while axis >= 0 {
        index[axis] += 1
        offsets.first += padded[0][axis]
        offsets.second += padded[1][axis]
        offsets.third += padded[2][axis]
        if index[axis] < sizes[axis] { break }
        offsets.first -= sizes[axis] * padded[0][axis]
        offsets.second -= sizes[axis] * padded[1][axis]
        offsets.third -= sizes[axis] * padded[2][axis]
        index[axis] = 0
        axis -= 1
      }
    }
  }
}

/// The distances between neighbours along each dimension of a row-major tensor.
func rowMajorStrides(_ shape: [Int]) -> [Int] {
  var strides = [Int](repeating: 1, count: shape.count)
  for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
  return strides
}

/// The shape that tensors of these shapes have together, dimensions of one being repeated.
func broadcastShape(_ shapes: [[Int]]) throws(FileError) -> [Int] {
  let rank = shapes.map(\.count).max() ?? 0
  var result = [Int](repeating: 1, count: rank)
  for shape in shapes {
    for (axis, size) in shape.enumerated() where size != 1 {
      let place = rank - shape.count + axis
      guard result[place] == 1 || result[place] == size else {
        throw FileError(
          .mismatch, "shapes \(shapes.map(\.description).joined(separator: " and ")) do not fit each other")
      }
      result[place] = size
    }
  }
  return result
}

/// The distances in a tensor of `shape` that is repeated to become `result`.
func broadcastStrides(_ shape: [Int], to result: [Int]) -> [Int] {
  let own = rowMajorStrides(shape)
  let missing = result.count - shape.count
  return result.indices.map { axis in
    axis < missing || shape[axis - missing] == 1 ? 0 : own[axis - missing]
  }
}

extension Workshop {
  /// Applies `function` to elements of two tensors, repeated to one shape.
  @inline(__always)
  func combine<A: BitwiseCopyable, B: BitwiseCopyable, Result: BitwiseCopyable>(
    _ a: DenseTensor, as first: A.Type, _ b: DenseTensor, as second: B.Type, into dtype: DType, as type: Result.Type,
    _ function: (A, B) -> Result
  ) throws(FileError) -> DenseTensor {
    let shape = try broadcastShape([a.shape, b.shape])
    let loop = StridedLoop(
      shape: shape, strides: [broadcastStrides(a.shape, to: shape), broadcastStrides(b.shape, to: shape)])
    let (row, aStep, bStep) = (loop.row, loop.step(0), loop.step(1))
    return try make(dtype, shape, as: Result.self) { target in
      a.read(A.self) { x in
        b.read(B.self) { y in
          guard target.count > 0, let out = target.baseAddress, let x = x.baseAddress, let y = y.baseAddress else {
            return
          }
          let isOneRow = loop.rows == 1
          forEachRange(isOneRow ? row : loop.rows, cost: isOneRow ? 1 : row) { range in
            let columns = isOneRow ? range : 0..<row
            loop.forEachRow(isOneRow ? 0..<1 : range) { index, offsets in
              let (x, y, out) = (x + offsets.first, y + offsets.second, out + index * row)
              switch (aStep, bStep) {
              case (1, 1): for i in columns { out[i] = function(x[i], y[i]) }
              case (1, 0):
                let y = y[0]
                for i in columns { out[i] = function(x[i], y) }
              case (0, 1):
                let x = x[0]
                for i in columns { out[i] = function(x, y[i]) }
              default: for i in columns { out[i] = function(x[i * aStep], y[i * bStep]) }
              }
            }
          }
        }
      }
    }
  }

  /// Applies `function` to each element.
  @inline(__always)
  func map<Value: BitwiseCopyable, Result: BitwiseCopyable>(
    _ tensor: DenseTensor, as type: Value.Type, into dtype: DType, as result: Result.Type, cost: Int = 1,
    _ function: (Value) -> Result
  ) throws(FileError) -> DenseTensor {
    try make(dtype, tensor.shape, as: Result.self) { target in
      tensor.read(Value.self) { source in
        guard let x = source.baseAddress, let out = target.baseAddress else { return }
        forEachRange(source.count, cost: cost) { range in
          for index in range { out[index] = function(x[index]) }
        }
      }
    }
  }

  /// The elements of `tensor` that lie at `offset` and these distances, as a tensor of `shape`.
  func gathered(
    _ tensor: DenseTensor, shape: [Int], offset: Int = 0, strides: [Int]
  ) throws(FileError) -> DenseTensor {
    switch tensor.dtype.blockBytes {
    case 1: try gathered(tensor, shape, offset, strides, UInt8.self)
    case 2: try gathered(tensor, shape, offset, strides, UInt16.self)
    case 4: try gathered(tensor, shape, offset, strides, UInt32.self)
    default: try gathered(tensor, shape, offset, strides, UInt64.self)
    }
  }

  private func gathered<Value: BitwiseCopyable>(
    _ tensor: DenseTensor, _ shape: [Int], _ offset: Int, _ strides: [Int], _ type: Value.Type
  ) throws(FileError) -> DenseTensor {
    let loop = StridedLoop(shape: shape, strides: [strides])
    let (row, step) = (loop.row, loop.step(0))
    return try make(tensor.dtype, shape, as: Value.self) { target in
      tensor.read(Value.self) { source in
        guard target.count > 0, let out = target.baseAddress, let from = source.baseAddress else { return }
        forEachRange(loop.rows, cost: row) { range in
          loop.forEachRow(range) { index, offsets in
            let (source, target) = (from + offset + offsets.first, out + index * row)
            switch step {
            case 1: target.update(from: source, count: row)
            case 0: target.update(repeating: source[0], count: row)
            default: for i in 0..<row { target[i] = source[i * step] }
            }
          }
        }
      }
    }
  }
}
