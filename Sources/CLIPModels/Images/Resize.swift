/// Which pass of a resize comes first: the result of the first is rounded to 8 bits.
enum PassOrder {
  case rowsFirst, columnsFirst

  /// Pillow 12.3's: rows first, as all before, except for a picture more than a hundred times as tall as wide that
  /// becomes less tall.
  static func pillow(width: Int, height: Int, newHeight: Int) -> PassOrder {
    height > width * 100 && newHeight < height ? .columnsFirst : .rowsFirst
  }
}

extension DecodedImage {
  /// What of a resized picture is kept.
  struct Region: Equatable {
    var columns: Range<Int>
    var rows: Range<Int>
  }

  /// The picture resized to `width` × `height` as by Pillow, in its own mode, cropped to `region`: the rest is never
  /// computed.
  func resized(
    width newWidth: Int, height newHeight: Int, keeping region: Region, filter: ResizeFilter, order: PassOrder? = nil
  ) -> DecodedImage {
    if newWidth == width, newHeight == height { return cropped(to: region) }
    let filter = mode == .bilevel || mode == .palette ? .nearest : filter
    guard filter != .nearest else { return nearest(width: newWidth, height: newHeight, keeping: region) }
    let order = order ?? .pillow(width: width, height: height, newHeight: newHeight)
    let hasAlpha = mode == .greyAlpha || mode == .rgba
    var pixels = hasAlpha ? ImageCodecs.premultiplied(pixels, channels: mode.pixelSize) : pixels
    func weights(_ input: Int, _ output: Int, _ kept: Range<Int>) -> ResizeWeights? {
      input == output
        ? nil
        : ResizeWeights(input: input, output: output, kept: kept, filter: filter, isExact: mode == .grey16)
    }
    let across = weights(width, newWidth, region.columns)
    let down = weights(height, newHeight, region.rows)
    switch order {
    case .rowsFirst: pixels = rowsFirst(pixels, across, down, region)
    case .columnsFirst: pixels = columnsFirst(pixels, across, down, region)
    }
    if hasAlpha { pixels = ImageCodecs.unpremultiplied(pixels, channels: mode.pixelSize) }
    return with(width: region.columns.count, height: region.rows.count, pixels: pixels)
  }

  private func rowsFirst(
    _ pixels: [UInt8], _ across: ResizeWeights?, _ down: ResizeWeights?, _ region: Region
  ) -> [UInt8] {
    let rows = down?.inputs ?? region.rows
    let lines =
      if let across {
        ImageCodecs.resizedRows(pixels, width: width, rows: rows, mode: mode, weights: across)
      } else {
        crop(pixels, Region(columns: region.columns, rows: rows))
      }
    guard let down else { return lines }
    return ImageCodecs.resizedColumns(
      lines, width: region.columns.count, mode: mode, weights: down.shifted(by: rows.lowerBound))
  }

  private func columnsFirst(
    _ pixels: [UInt8], _ across: ResizeWeights?, _ down: ResizeWeights?, _ region: Region
  ) -> [UInt8] {
    let columns = across?.inputs ?? region.columns
    let rows = down?.inputs ?? region.rows
    var lines = crop(pixels, Region(columns: columns, rows: rows))
    if let down {
      lines = ImageCodecs.resizedColumns(
        lines, width: columns.count, mode: mode, weights: down.shifted(by: rows.lowerBound))
    }
    guard let across else { return lines }
    return ImageCodecs.resizedRows(
      lines, width: columns.count, rows: 0..<region.rows.count, mode: mode,
      weights: across.shifted(by: columns.lowerBound))
  }

  /// The part of the picture in `region`.
  func cropped(to region: Region) -> DecodedImage {
    with(width: region.columns.count, height: region.rows.count, pixels: crop(pixels, region))
  }

  private func crop(_ pixels: [UInt8], _ region: Region) -> [UInt8] {
    if region == Region(columns: 0..<width, rows: 0..<height) { return pixels }
    let size = mode.pixelSize
    var result: [UInt8] = []
    result.reserveCapacity(region.columns.count * region.rows.count * size)
    for row in region.rows {
      let start = (row * width + region.columns.lowerBound) * size
      result += pixels[start..<(start + region.columns.count * size)]
    }
    return result
  }

  /// Every output pixel is one input pixel; positions are sums of steps, as Pillow's are.
  private func nearest(width newWidth: Int, height newHeight: Int, keeping region: Region) -> DecodedImage {
    let columns = Self.positions(width, newWidth, region.columns)
    let rows = Self.positions(height, newHeight, region.rows)
    let size = mode.pixelSize
    var result = [UInt8](repeating: 0, count: columns.count * rows.count * size)
    for (row, source) in rows.enumerated() where source < height {
      for (column, position) in columns.enumerated() where position < width {
        let from = (source * width + position) * size
        let to = (row * columns.count + column) * size
        for byte in 0..<size { result[to + byte] = pixels[from + byte] }
      }
    }
    return with(width: columns.count, height: rows.count, pixels: result)
  }

  private static func positions(_ input: Int, _ output: Int, _ kept: Range<Int>) -> [Int] {
    let step = Double(Float(input)) / Double(output)
    var position = step * 0.5
    var result: [Int] = []
    for index in 0..<kept.upperBound {
      if index >= kept.lowerBound { result.append(Int(position)) }
      position += step
    }
    return result
  }
}
