/// Operations on pictures and on grids of rows.
extension CPUOps {
  func patches(_ pictures: PictureBatch, size: Int) -> Activations {
    let side = pictures.side / size
    let result = make(
      columns: 3 * size * size, starts: Activations.starts(items: pictures.count, rows: side * side),
      grid: Activations.Grid(height: side, width: side))
    team.run(pictures.count * side) { part in
      let (item, y) = (part / side, part % side)
      for x in 0..<side {
        let target = result.row(item * side * side + y * side + x)
        for channel in 0..<3 {
          for line in 0..<size {
            let source = pictures.line(item, channel: channel, y * size + line) + x * size
            (target + (channel * size + line) * size).update(from: source, count: size)
          }
        }
      }
    }
    return result
  }

  func pixels(_ pictures: PictureBatch) -> Activations {
    let side = pictures.side
    let result = make(
      columns: 3, starts: Activations.starts(items: pictures.count, rows: side * side),
      grid: Activations.Grid(height: side, width: side))
    team.run(pictures.count * side) { part in
      let (item, y) = (part / side, part % side)
      for channel in 0..<3 {
        let source = pictures.line(item, channel: channel, y)
        for x in 0..<side { result.row((item * side + y) * side + x)[channel] = source[x] }
      }
    }
    return result
  }

  func neighbourhoods(_ x: Activations, stride: Int) -> Activations {
    guard let grid = x.grid else { return x }
    let target = Activations.Grid(height: (grid.height - 1) / stride + 1, width: (grid.width - 1) / stride + 1)
    let result = make(
      columns: 9 * x.columns, starts: Activations.starts(items: x.items, rows: target.height * target.width),
      grid: target)
    team.run(x.items * target.height) { part in
      let (item, top) = (part / target.height, part % target.height)
      for left in 0..<target.width {
        let row = result.row((item * target.height + top) * target.width + left)
        for place in 0..<9 {
          let (sourceY, sourceX) = (top * stride + place / 3 - 1, left * stride + place % 3 - 1)
          let part = row + place * x.columns
          if sourceY >= 0, sourceY < grid.height, sourceX >= 0, sourceX < grid.width {
            let source = x.row((item * grid.height + sourceY) * grid.width + sourceX)
            part.update(from: source, count: x.columns)
          } else {
            part.update(repeating: 0, count: x.columns)
          }
        }
      }
    }
    return result
  }

  func averagePool(_ x: Activations, size: Int) -> Activations {
    guard let grid = x.grid else { return x }
    let target = Activations.Grid(height: grid.height / size, width: grid.width / size)
    let result = make(
      columns: x.columns, starts: Activations.starts(items: x.items, rows: target.height * target.width), grid: target)
    let factor = 1 / Float(size * size)
    team.run(x.items * target.height) { part in
      let (item, top) = (part / target.height, part % target.height)
      for left in 0..<target.width {
        let row = result.row((item * target.height + top) * target.width + left)
        row.update(repeating: 0, count: x.columns)
        for place in 0..<size * size {
          let (sourceY, sourceX) = (top * size + place / size, left * size + place % size)
          let source = x.row((item * grid.height + sourceY) * grid.width + sourceX)
          for column in 0..<x.columns { row[column] += source[column] }
        }
        for column in 0..<x.columns { row[column] *= factor }
      }
    }
    return result
  }
}

/// Normalised pictures: `[count, 3, side, side]`.
struct PictureBatch {
  let buffer: Buffer
  let count: Int
  let side: Int

  /// Row `y` of a channel of a picture.
  func line(_ item: Int, channel: Int, _ y: Int) -> UnsafeMutablePointer<Float> {
    buffer.start + ((item * 3 + channel) * side + y) * side
  }
}
