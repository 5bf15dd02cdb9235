import Checkpoints
import Synchronization

/// The embeddings of a vocabulary's tokens, read when a token is met: a text needs a few rows of a hundred megabytes.
final class TokenEmbeddings: Sendable {
  let columns: Int
  private let tensor: Tensor
  private let name: String
  /// Rows met so far. Labels and captions repeat their words.
  private let rows = Mutex<[Int32: [Float]]>([:])
  private static let limit = 8192

  init(_ tensor: NamedTensor) throws(FileError) {
    (self.tensor, name) = (tensor.tensor, tensor.name)
    columns = tensor.tensor.shape.last ?? 0
  }

  /// Copies the row of `id` to `target`.
  /// - Throws: `mismatch` for an id that the vocabulary does not have, and what reading throws.
  func copyRow(_ id: Int32, to target: UnsafeMutablePointer<Float>) throws(FileError) {
    let row: [Float]
    if let known = rows.withLock({ $0[id] }) { row = known } else { row = try read(id) }
    row.withUnsafeBufferPointer { target.update(from: $0.baseAddress!, count: columns) }
  }

  private func read(_ id: Int32) throws(FileError) -> [Float] {
    guard let count = tensor.shape.first, id >= 0, Int(id) < count else {
      throw FileError(.mismatch, "token \(id) of a vocabulary of \(tensor.shape.first ?? 0)", tensor: name)
    }
    let row = try tensor.rows(Int(id)..<Int(id) + 1).floats()
    rows.withLock { rows in
      if rows.count >= Self.limit { rows.removeAll(keepingCapacity: true) }
      rows[id] = row
    }
    return row
  }
}

extension Tensor {
  /// All numbers as f32, in memory.
  func floats() throws(FileError) -> [Float] {
    let bytes = try cast(to: .f32).bytes.load()
    return [Float](unsafeUninitializedCapacity: bytes.count / 4) { target, count in
      count = bytes.count / 4
      bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(target).copyMemory(from: $0) }
    }
  }
}
