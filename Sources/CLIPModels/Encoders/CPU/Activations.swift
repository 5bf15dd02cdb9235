/// Activations in memory: rows of f32, the tokens of one item after those of another.
///
/// A view when it is narrower than its rows are apart: some columns of a wider product.
struct Activations {
  let buffer: Buffer
  /// The first column in the buffer's rows.
  let offset: Int
  let columns: Int
  /// From one row to the next, in numbers.
  let stride: Int
  /// The first row of each item, and the number of rows at the end.
  let starts: [Int]
  /// Height and width of each item's rows, where they are a grid.
  let grid: Grid?

  struct Grid: Equatable {
    var height: Int
    var width: Int
  }

  var rows: Int { starts.last ?? 0 }
  var items: Int { starts.count - 1 }
  /// The first number of the first row.
  var start: UnsafeMutablePointer<Float> { buffer.start + offset }

  func row(_ index: Int) -> UnsafeMutablePointer<Float> { start + index * stride }

  /// The numbers, row after row, without what lies between them.
  func values() -> [Float] {
    [Float](unsafeUninitializedCapacity: rows * columns) { target, count in
      for row in 0..<rows {
        (target.baseAddress! + row * columns).initialize(from: self.row(row), count: columns)
      }
      count = rows * columns
    }
  }

  /// The starts of `items` items of `rows` rows each.
  static func starts(items: Int, rows: Int) -> [Int] { (0...items).map { $0 * rows } }
}
