import Checkpoints

/// Operations that move and add rows.
extension CPUOps {
  func lookUp(_ texts: TextBatch, in table: TokenEmbeddings) throws(FileError) -> Activations {
    let result = make(columns: table.columns, starts: texts.starts)
    for (row, id) in texts.ids.enumerated() { try table.copyRow(id, to: result.row(row)) }
    return result
  }

  func row(_ row: PooledRow, of x: Activations) -> Activations {
    let result = make(columns: x.columns, starts: Activations.starts(items: x.items, rows: 1))
    for item in 0..<x.items {
      let source = row == .first ? x.starts[item] : x.starts[item + 1] - 1
      result.row(item).update(from: x.row(source), count: x.columns)
    }
    return result
  }

  func repeated(_ row: [Float], items: Int) -> Activations {
    let result = make(columns: row.count, starts: Activations.starts(items: items, rows: 1))
    for item in 0..<items { result.row(item).update(from: row, count: row.count) }
    return result
  }

  func prepending(_ row: [Float], to x: Activations) -> Activations {
    withRowBefore(x) { item, target in target.update(from: row, count: x.columns) }
  }

  func prependingMean(to x: Activations) -> Activations {
    withRowBefore(x) { item, target in
      let rows = x.starts[item]..<x.starts[item + 1]
      for column in 0..<x.columns {
        var sum = 0.0
        for row in rows { sum += Double(x.row(row)[column]) }
        target[column] = Float(sum / Double(rows.count))
      }
    }
  }

  private func withRowBefore(
    _ x: Activations, _ fill: (Int, UnsafeMutablePointer<Float>) -> Void
  ) -> Activations {
    let result = make(columns: x.columns, starts: x.starts.enumerated().map { $1 + $0 })
    team.run(x.items) { item in
      fill(item, result.row(result.starts[item]))
      for row in x.starts[item]..<x.starts[item + 1] {
        result.row(row + item + 1).update(from: x.row(row), count: x.columns)
      }
    }
    return result
  }

  func addingPositions(_ positions: [Float], to x: Activations) -> Activations {
    let result = make(columns: x.columns, starts: x.starts)
    team.run(x.items) { item in
      for row in x.starts[item]..<x.starts[item + 1] {
        let (source, target) = (x.row(row), result.row(row))
        let position = (row - x.starts[item]) * x.columns
        for column in 0..<x.columns { target[column] = source[column] + positions[position + column] }
      }
    }
    return result
  }
}

/// Texts cut behind the token that stands for them.
struct TextBatch {
  /// The tokens of all texts, one after the other.
  let ids: [Int32]
  /// The first token of each text, and the number of tokens at the end.
  let starts: [Int]
}
