internal import CLibzip
internal import Synchronization

/// A deflated entry, inflated as it is read, in constant memory. Each reader that goes forward, one for each thread at
/// most, has its own pass; who goes back begins again.
///
/// libzip does not see the archive: it gets one with this entry alone, whose headers are ours, so that what it reads
/// is what has been checked, and opening one of many entries does not parse them all.
final class DeflatedEntry: ByteSource {
  let count: Int
  private let entry: ZipArchive.Entry
  private let data: Bytes
  private let path: String?
  private let passes = Mutex<[Inflater]>([])

  init(_ entry: ZipArchive.Entry, data: Bytes, path: String?) {
    self.entry = entry
    self.data = data
    self.path = path
    count = entry.size
  }

  var readsForward: Bool { true }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try passes.withLock { (passes) throws(FileError) in
      do throws(FileError) {
        let current = try pass(before: offset, in: &passes)
        try current.skip(to: offset)
        try current.read(into: buffer)
        guard current.position == count else { return }
        try current.end()
        passes = []
      } catch {
        passes = []
        throw error.located(file: path, offset: entry.dataOffset)
      }
    }
  }

  /// The pass that has the least to skip, moved to the end of the list; a new one when all are beyond `offset`.
  private func pass(before offset: Int, in passes: inout [Inflater]) throws(FileError) -> Inflater {
    let best = passes.indices.filter { passes[$0].position <= offset }.max { passes[$0].position < passes[$1].position }
    let pass = if let best { passes.remove(at: best) } else { try Inflater(entry, data: data) }
    if passes.count > processorCount { passes.removeFirst() }
    passes.append(pass)
    return pass
  }
}

/// One pass over the inflated data. `DeflatedEntry` uses it under its lock only.
private final class Inflater: @unchecked Sendable {
  private(set) var position = 0
  private let entry: ZipArchive.Entry
  private let input: Input
  private var archive: OpaquePointer?
  private var file: OpaquePointer?

  init(_ entry: ZipArchive.Entry, data: Bytes) throws(FileError) {
    self.entry = entry
    var record = ZipRecord(
      name: [UInt8(ascii: "x")], size: entry.size, compressedSize: entry.compressedSize, headerOffset: 0)
    record.method = .deflated
    record.crc32 = entry.crc32
    let header = record.localHeader()
    let directory = record.centralHeader()
    let end = ZipRecord.end(count: 1, size: directory.count, offset: header.count + data.count)
    input = Input(Bytes(concatenating: [Bytes(header), data, Bytes(directory + end)]))

    var error = zip_error()
    zip_error_init(&error)
    defer { zip_error_fini(&error) }
    guard let source = zip_source_function_create(answer, Unmanaged.passUnretained(input).toOpaque(), &error) else {
      throw FileError(.io, "libzip cannot open entry '\(escaped(entry.name))': \(zip_error_code_zip(&error))")
    }
    archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error)
    guard archive != nil else {
      zip_source_free(source)
      throw input.failure
        ?? FileError(.malformed, "libzip refuses entry '\(escaped(entry.name))': \(zip_error_code_zip(&error))")
    }
    file = zip_fopen_index(archive, 0, 0)
    guard file != nil else { throw failure() }
  }

  deinit {
    if let file { zip_fclose(file) }
    if let archive { zip_discard(archive) }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    var done = 0
    while done < buffer.count {
      let result = zip_fread(file, buffer.baseAddress.map { $0 + done }, zip_uint64_t(buffer.count - done))
      guard result > 0 else { throw failure() }
      done += Int(result)
      position += Int(result)
    }
  }

  func skip(to offset: Int) throws(FileError) {
    guard position < offset else { return }
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: min(offset - position, 64 << 10), alignment: 16)
    defer { scratch.deallocate() }
    while position < offset {
      try read(into: UnsafeMutableRawBufferPointer(rebasing: scratch[..<min(scratch.count, offset - position)]))
    }
  }

  /// Throws unless the data ends here and has the declared checksum.
  func end() throws(FileError) {
    var byte: UInt8 = 0
    let result = zip_fread(file, &byte, 1)
    if result == 0 || result < 0 && code == ZIP_ER_CRC && entry.crc32 == 0 { return }
    guard result < 0 else {
      throw FileError(
        .malformed, "entry '\(escaped(entry.name))' inflates to more than the \(entry.size) bytes it declares")
    }
    throw failure()
  }

  private var code: Int32 { zip_error_code_zip(file == nil ? zip_get_error(archive) : zip_file_get_error(file)) }

  private func failure() -> FileError {
    if let failure = input.failure { return failure }
    let name = "entry '\(escaped(entry.name))'"
    return switch code {
    case ZIP_ER_OK, ZIP_ER_EOF, ZIP_ER_INCONS:
      FileError(.malformed, "\(name) inflates to \(position) bytes, \(entry.size) declared")
    case ZIP_ER_CRC:
      FileError(
        .malformed, "\(name) does not have the CRC-32 that the archive declares",
        hint: "The file is damaged: copy or download it again")
    default:
      FileError(.malformed, "\(name) cannot be inflated at byte \(position) (libzip error \(code))")
    }
  }
}

/// What libzip reads: bytes with a position, and the error that stopped it.
private final class Input {
  let bytes: Bytes
  var position = 0
  var failure: FileError?
  init(_ bytes: Bytes) { self.bytes = bytes }

  func read(_ data: UnsafeMutableRawPointer?, _ length: zip_uint64_t) -> zip_int64_t {
    let count = min(bytes.count - position, Int(clamping: length))
    do throws(FileError) {
      try bytes.read(at: position, into: UnsafeMutableRawBufferPointer(start: data, count: count))
      position += count
      return zip_int64_t(count)
    } catch {
      failure = error
      return -1
    }
  }
}

/// The callback of libzip's `zip_source_function`.
private func answer(
  _ context: UnsafeMutableRawPointer?, _ data: UnsafeMutableRawPointer?, _ length: zip_uint64_t,
  _ command: zip_source_cmd_t
) -> zip_int64_t {
  guard let context else { return -1 }
  let input = Unmanaged<Input>.fromOpaque(context).takeUnretainedValue()
  switch command {
  case ZIP_SOURCE_OPEN:
    input.position = 0
    return 0
  case ZIP_SOURCE_READ:
    return input.read(data, length)
  case ZIP_SOURCE_SEEK:
    let position = zip_source_seek_compute_offset(
      zip_uint64_t(input.position), zip_uint64_t(input.bytes.count), data, length, nil)
    guard position >= 0 else { return -1 }
    input.position = Int(position)
    return 0
  case ZIP_SOURCE_TELL:
    return zip_int64_t(input.position)
  case ZIP_SOURCE_STAT:
    guard let stat = data?.assumingMemoryBound(to: zip_stat_t.self) else { return -1 }
    zip_stat_init(stat)
    stat.pointee.valid = zip_uint64_t(ZIP_STAT_SIZE)
    stat.pointee.size = zip_uint64_t(input.bytes.count)
    return zip_int64_t(MemoryLayout<zip_stat_t>.size)
  case ZIP_SOURCE_ERROR:
    data?.storeBytes(of: [ZIP_ER_READ, 0], as: SIMD2<Int32>.self)
    return zip_int64_t(2 * MemoryLayout<Int32>.size)
  case ZIP_SOURCE_SUPPORTS:
    let commands = [
      ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
      ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS,
    ]
    return commands.reduce(0) { $0 | 1 << zip_int64_t($1.rawValue) }
  default:
    return 0
  }
}
