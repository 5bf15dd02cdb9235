/// Texts as NumPy's `<U` stores them: UTF-32, each filled up with zeros to the width of the longest.
///
/// The table is made as it is read, so that memory holds the texts alone.
package struct TextArray: ByteSource {
  private let texts: [String]
  /// Code points of the longest, at least 1.
  private let width: Int

  /// - Throws: `unsupported` for a text that holds NUL, which NumPy takes for filling; `usage` when the table would be
  ///   larger than `Limits.textArray`.
  package init(_ texts: [String]) throws(FileError) {
    self.texts = texts
    var width = 1
    for (index, text) in texts.enumerated() {
      guard !text.utf8.contains(0) else {
        throw FileError(.unsupported, "text \(index + 1) contains NUL, which NumPy's texts cannot")
      }
      width = max(width, text.unicodeScalars.count)
    }
    let (size, overflow) = texts.count.multipliedReportingOverflow(by: width * 4)
    guard !overflow, size <= Limits.textArray else {
      throw FileError(
        .usage,
        "\(texts.count) texts as wide as the longest, \(width) characters, take more than \(Limits.textArray) bytes",
        hint: "Choose safetensors")
    }
    self.width = width
  }

  package var count: Int { texts.count * width * 4 }

  /// The whole `.npy` file.
  var file: Bytes {
    let header = NPYHeader.bytes(descriptor: "<U\(width)", shape: [texts.count])
    return Bytes(concatenating: [Bytes(header), Bytes(self)])
  }

  package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) {
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
    let size = width * 4
    var index = offset / size
    while index * size < offset + buffer.count {
      var place = index * size - offset
      for scalar in texts[index].unicodeScalars {
        for shift in stride(from: 0, to: 32, by: 8) {
          if buffer.indices.contains(place) { buffer[place] = UInt8(truncatingIfNeeded: scalar.value >> shift) }
          place += 1
        }
      }
      index += 1
    }
  }
}
