/// One entry of the central directory, and its agreement with the local header.
struct CentralHeader {
  private let name: String
  private let nameBytes: [UInt8]
  private let at: Int
  private let flags: Int
  private let method: ZipArchive.Method
  private let crc32: UInt32
  private let compressedSize: Int
  private let size: Int
  private let headerOffset: Int

  /// Whether sizes and checksum may stand after the data, with zeros in the local header.
  var hasDescriptor: Bool { flags & 0x0008 != 0 }

  /// The next entry; `archiveSize` is where the directory begins, which nothing may reach beyond.
  init(_ reader: inout ByteReader, archiveSize: Int) throws(FileError) {
    at = reader.fileOffset
    let fields = ZipFields(bytes: try reader.array(ZipRecords.centralSize, "zip directory entry"))
    guard fields.u32(0) == ZipRecords.centralSignature else {
      throw FileError(.malformed, "no directory entry where the previous one ends", offset: at)
    }
    nameBytes = try reader.array(fields.u16(28), "entry name")
    name = try Self.name(nameBytes, at: at)
    let extra = ZipFields(bytes: try reader.array(fields.u16(30), "extra field"))
    try reader.skip(fields.u16(32), "entry comment")

    flags = fields.u16(8)
    method = try Self.method(fields.u16(10), flags: flags, name: name, at: at)
    crc32 = UInt32(truncatingIfNeeded: fields.u32(16))
    guard fields.u16(34) == 0 else {
      throw FileError(.unsupported, "entry '\(escaped(name))' is on disk \(fields.u16(34)), allowed 0", offset: at)
    }
    var zip64 = extra.extraField(ZipRecords.zip64Field, from: 0)?.bytes[...] ?? []
    var numbers: [Int] = []
    for position in [24, 20, 42] {
      var value = UInt64(fields.u32(position))
      if value == ZipRecords.saturated32, zip64.count >= 8 {
        value = ZipFields(bytes: Array(zip64.prefix(8))).u64(0)
        zip64 = zip64.dropFirst(8)
      }
      guard let number = Int(exactly: value), number <= archiveSize || position == 24 else {
        throw FileError(
          .malformed, "entry '\(escaped(name))' has the size or offset \(value), the archive has \(archiveSize) bytes",
          offset: at)
      }
      numbers.append(number)
    }
    (size, compressedSize, headerOffset) = (numbers[0], numbers[1], numbers[2])
    try checkSizes()
  }

  private static func name(_ bytes: [UInt8], at offset: Int) throws(FileError) -> String {
    guard let name = String(validating: bytes, as: UTF8.self) else {
      throw FileError(.malformed, "entry name is not valid UTF-8", offset: offset)
    }
    guard !bytes.isEmpty, !bytes.contains(0) else {
      throw FileError(.malformed, "entry name '\(escaped(name))' is empty or contains NUL", offset: offset)
    }
    return name
  }

  private static func method(_ number: Int, flags: Int, name: String, at offset: Int) throws(FileError)
    -> ZipArchive.Method
  {
    // Bits 0, 6 and 13: encrypted data, strong encryption, encrypted directory.
    guard flags & 0x2041 == 0 else {
      throw FileError(.unsupported, "entry '\(escaped(name))' is encrypted", offset: offset)
    }
    if let method = UInt16(exactly: number).flatMap(ZipArchive.Method.init) { return method }
    let names = [9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd", 95: "xz", 98: "ppmd", 99: "AES"]
    throw FileError(
      .unsupported,
      "entry '\(escaped(name))' is compressed with \(names[number] ?? "method \(number)"), allowed: stored, deflate",
      offset: offset, hint: "Write the archive again without compression")
  }

  private func checkSizes() throws(FileError) {
    switch method {
    case .stored:
      guard size == compressedSize else {
        throw FileError(
          .malformed, "stored entry '\(escaped(name))' takes \(compressedSize) bytes but declares \(size)", offset: at)
      }
    case .deflated:
      // Compressed sizes are smaller than the archive: no overflow.
      guard size <= compressedSize.multipliedReportingOverflow(by: Limits.deflateRatio).partialValue else {
        throw FileError(
          .malformed,
          "entry '\(escaped(name))' declares that \(compressedSize) bytes inflate to \(size), deflate reaches "
            + "\(Limits.deflateRatio) to 1", offset: at)
      }
    }
    guard size > 0 || crc32 == 0 else {
      throw FileError(.malformed, "empty entry '\(escaped(name))' declares a checksum, allowed 0", offset: at)
    }
    guard !name.hasSuffix("/") || size == 0 else {
      throw FileError(.malformed, "directory '\(escaped(name))' has \(size) bytes, allowed 0", offset: at)
    }
  }

  /// Reads the local header and compares it; `limit` is where the central directory begins.
  func entry(in archive: Bytes, before limit: Int) throws(FileError) -> ZipArchive.Entry {
    let fixed = ZipRecords.localSize + nameBytes.count
    guard headerOffset <= limit - fixed else { throw reaches(beyond: limit) }
    let local = ZipFields(bytes: try archive.slice(headerOffset, fixed).load())
    guard local.u32(0) == ZipRecords.localSignature else {
      throw FileError(
        .malformed, "no header of entry '\(escaped(name))' where the directory says", offset: headerOffset)
    }
    guard local.u16(6) & 0x2041 == 0 else {
      throw FileError(.unsupported, "entry '\(escaped(name))' is encrypted", offset: headerOffset)
    }
    guard local.u16(26) == nameBytes.count, local.bytes[ZipRecords.localSize...] == nameBytes[...],
      local.u16(8) == method.rawValue
    else {
      throw FileError(
        .malformed, "name or method of entry '\(escaped(name))' differ from its local header", offset: headerOffset)
    }
    let dataOffset = headerOffset + fixed + local.u16(28)
    guard dataOffset <= limit, compressedSize <= limit - dataOffset else { throw reaches(beyond: limit) }
    try compareNumbers(local, extra: try archive.slice(headerOffset + fixed, local.u16(28)))
    return ZipArchive.Entry(
      name: name, method: method, compressedSize: compressedSize, size: size, crc32: crc32, headerOffset: headerOffset,
      dataOffset: dataOffset)
  }

  /// Checksum and sizes of the local header: the same, or zero when they stand behind the data.
  private func compareNumbers(_ local: ZipFields, extra: Bytes) throws(FileError) {
    var numbers = [UInt64(local.u32(22)), UInt64(local.u32(18))]
    if numbers.contains(UInt64(ZipRecords.saturated32)) {
      let zip64 = ZipFields(bytes: try extra.load()).extraField(ZipRecords.zip64Field, from: 0)
      if let zip64, zip64.bytes.count >= 16 { numbers = [zip64.u64(0), zip64.u64(8)] }
    }
    func agree(_ value: UInt64, _ declared: Int) -> Bool { value == declared || hasDescriptor && value == 0 }
    guard agree(numbers[0], size), agree(numbers[1], compressedSize), agree(UInt64(local.u32(14)), Int(crc32)) else {
      throw FileError(
        .malformed, "sizes or checksum of entry '\(escaped(name))' differ from its local header", offset: headerOffset)
    }
  }

  private func reaches(beyond limit: Int) -> FileError {
    FileError(
      .truncated,
      "entry '\(escaped(name))' at \(headerOffset) with \(compressedSize) bytes reaches beyond \(limit), "
        + "where the directory begins", offset: at)
  }
}
