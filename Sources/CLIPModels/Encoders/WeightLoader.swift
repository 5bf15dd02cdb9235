import Checkpoints

/// Makes an encoder's constants from canonical tensors.
struct WeightLoader<O: Ops> {
  let tensors: Checkpoint
  let ops: O

  /// Whether there is a tensor of that name.
  func has(_ name: String) -> Bool { tensors[name] != nil }

  /// The tensor of that name.
  /// - Throws: `mismatch` when it is not there or has another number of dimensions.
  func tensor(_ name: String, dimensions: Int? = nil) throws(FileError) -> NamedTensor {
    guard let tensor = tensors[name] else {
      throw FileError(.mismatch, "not in the checkpoint", tensor: name)
    }
    if let dimensions, tensor.shape.count != dimensions {
      throw FileError(.mismatch, "shape \(tensor.shape), expected \(dimensions) dimensions", tensor: name)
    }
    return NamedTensor(name: name, tensor: tensor)
  }

  func vector(_ name: String) throws(FileError) -> O.Vector {
    let tensor = try tensor(name)
    do throws(FileError) { return try ops.vector(tensor) } catch { throw error.located(tensor: name) }
  }

  func optionalVector(_ name: String) throws(FileError) -> O.Vector? { has(name) ? try vector(name) : nil }

  /// The matrix of that name, or rows of it.
  func matrix(_ name: String, rows: Range<Int>? = nil, transposed: Bool = false) throws(FileError) -> O.Matrix {
    var source = try tensor(name, dimensions: 2)
    do throws(FileError) {
      if let rows { source = NamedTensor(name: name, tensor: try source.tensor.rows(rows), rows: rows) }
      return try ops.matrix(source, transposed: transposed)
    } catch {
      throw error.located(tensor: name)
    }
  }

  /// `NAME.weight` and `NAME.bias`.
  func linear(_ name: String) throws(FileError) -> Linear<O> {
    Linear(matrix: try matrix("\(name).weight"), bias: try optionalVector("\(name).bias"))
  }

  /// `rows` of `NAMEweight` and `NAMEbias`: a part of fused projections.
  func linear(_ name: String, rows: Range<Int>) throws(FileError) -> Linear<O> {
    let bias = try tensor("\(name)bias", dimensions: 1)
    let part = NamedTensor(name: bias.name, tensor: try bias.tensor.rows(rows), rows: rows)
    return Linear(matrix: try matrix("\(name)weight", rows: rows), bias: try ops.vector(part))
  }

  func layerNorm(_ name: String, epsilon: Float) throws(FileError) -> LayerNorm<O> {
    LayerNorm(weight: try vector("\(name).weight"), bias: try vector("\(name).bias"), epsilon: epsilon)
  }

  /// The convolution `KERNEL.weight` and the batch norm `NORM` after it.
  func convolution(_ kernel: String, norm: String) throws(FileError) -> Linear<O> {
    let parts = BatchNorm(
      weight: try tensor("\(norm).weight"), bias: try tensor("\(norm).bias"),
      mean: try tensor("\(norm).running_mean"), variance: try tensor("\(norm).running_var"))
    let (matrix, bias) = try ops.convolution(tensor("\(kernel).weight", dimensions: 4), norm: parts)
    return Linear(matrix: matrix, bias: bias)
  }
}

extension ModelConfig {
  /// A whole number that an encoder cannot do without.
  func encoderInteger(_ field: ConfigField) throws(FileError) -> Int {
    _ = try required(field, for: "an encoder")
    guard let value = integer(field), value > 0 else {
      throw FileError(.malformed, "\(field.rawValue) is not a positive whole number")
    }
    return value
  }

  /// A number that an encoder cannot do without.
  func encoderNumber(_ field: ConfigField) throws(FileError) -> Float {
    _ = try required(field, for: "an encoder")
    return Float(number(field) ?? integer(field).map(Double.init) ?? 0)
  }

  /// A word that an encoder cannot do without.
  func encoderChoice<Choice: RawRepresentable<String>>(_ field: ConfigField) throws(FileError) -> Choice {
    _ = try required(field, for: "an encoder")
    guard let choice = text(field).flatMap(Choice.init) else {
      throw FileError(.unsupported, "\(field.rawValue) is \(text(field) ?? ""), which no encoder here does")
    }
    return choice
  }
}
