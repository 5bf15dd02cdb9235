import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension ONNX {
  /// Whether a regular file is there that holds data of the model at `path`.
  package static func isData(_ data: String, of path: String) -> Bool {
    var info = stat()
    guard lstat(data, &info) == 0, info.st_mode & S_IFMT == S_IFREG, let file = try? InputFile(path),
      let model = try? readModel(file)
    else { return false }
    return model.dataFiles.contains { $0.identity == FileIdentity(info) }
  }

  /// Whether another model beside that at `path` has data in the file, or may have: it cannot be read.
  package static func isShared(_ data: String, by path: String) -> Bool {
    let (directory, own) = (TemporaryFile.parent(of: path), lastComponent(of: path))
    guard let identity = FileIdentity(path: data), let names = try? OutputDirectory.entries(of: directory) else {
      return true
    }
    return names.contains { name in
      guard name != own, name.lowercased().hasSuffix(".onnx") else { return false }
      guard let file = try? InputFile("\(directory)/\(name)"), let model = try? readModel(file) else { return true }
      return model.dataFiles.contains { $0.identity == identity }
    }
  }

  /// The files beside a model that hold data of its tensors.
  struct ExternalData {
    /// Where a tensor's data lies.
    private struct Place {
      var location = ""
      var offset = 0
      var length: Int?
      var checksum: String?
    }

    private let model: InputFile
    private var opened: [String: Bytes] = [:]
    /// The files, in the order in which tensors name them.
    private(set) var files: [InputFile] = []
    /// Keys that no version of the specification has.
    private(set) var unknownKeys: Set<String> = []

    init(of model: InputFile) { self.model = model }

    /// The data of a tensor whose `external_data` this is, and which takes so many bytes.
    mutating func bytes(_ entries: [(key: String, value: String)], count: Int) throws(FileError) -> Bytes {
      let place = try readPlace(entries)
      let file = try open(place)
      let length = place.length ?? max(0, file.count - place.offset)
      guard length == count else {
        throw FileError(.malformed, "external data of \(length) bytes, the tensor needs \(count)")
      }
      guard place.offset <= file.count, length <= file.count - place.offset else {
        throw FileError(
          .truncated,
          "external data: \(length) bytes at \(place.offset) of '\(escaped(place.location))', which has "
            + "\(file.count)")
      }
      return try file.slice(place.offset, length)
    }

    private mutating func readPlace(_ entries: [(key: String, value: String)]) throws(FileError) -> Place {
      var place = Place()
      var seen: Set<String> = []
      for (key, value) in entries {
        guard seen.insert(key).inserted else {
          throw FileError(.malformed, "external data: two '\(escaped(key))'")
        }
        switch key {
        case "location": place.location = value
        case "offset": place.offset = try Self.number(value, of: key)
        case "length": place.length = try Self.number(value, of: key)
        case "checksum": place.checksum = value
        default: unknownKeys.insert(key)
        }
      }
      try Self.check(place.location)
      return place
    }

    private static func number(_ text: String, of key: String) throws(FileError) -> Int {
      guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text) else {
        throw FileError(.malformed, "external data: \(key) '\(escaped(text))', allowed decimal digits up to \(Int.max)")
      }
      return number
    }

    /// Throws unless the location is a path downwards from the model's directory.
    private static func check(_ location: String) throws(FileError) {
      let bytes = location.utf8
      let components = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      let allowed =
        !location.isEmpty && bytes.count <= Limits.onnxLocation && !location.contains("_ORT_MEM_ADDR_")
        && !bytes.contains(UInt8(ascii: "\\")) && !bytes.contains(UInt8(ascii: ":"))
        && components.allSatisfy { !$0.isEmpty && !$0.elementsEqual("..".utf8) }
      guard allowed else {
        throw FileError(
          .malformed, "external data: location '\(escaped(location))', allowed a path below the model's directory")
      }
    }

    private mutating func open(_ place: Place) throws(FileError) -> Bytes {
      if let bytes = opened[place.location] { return bytes }
      let file = try InputFile(resolve(place.location))
      guard file.identity != model.identity else {
        throw FileError(.malformed, "external data: location '\(escaped(place.location))' is the model itself")
      }
      files.append(file)
      var bytes = Bytes(file)
      if let checksum = place.checksum { bytes = Bytes(try CheckedFile(file, checksum: checksum)) }
      opened[place.location] = bytes
      return bytes
    }

    /// The path of a file beside the model, or beside the file that the model's link leads to. Links in a cache of
    /// models lead elsewhere; whatever they lead to must lie below one of the two directories.
    private func resolve(_ location: String) throws(FileError) -> String {
      let directories = [
        TemporaryFile.parent(of: model.path), TemporaryFile.parent(of: realPath(model.path) ?? model.path),
      ]
      let roots = directories.compactMap(realPath)
      for directory in directories {
        guard let path = realPath("\(directory)/\(location)") else { continue }
        guard roots.contains(where: { $0 == "/" || path.hasPrefix("\($0)/") }) else {
          throw FileError(
            .malformed, "external data: location '\(escaped(location))' leads out of the model's directory")
        }
        guard isRegularFile(path) else {
          throw FileError(.mismatch, "external data: '\(escaped(location))' is not a regular file")
        }
        return path
      }
      throw FileError(
        .mismatch, "external data: '\(escaped(location))' is missing", hint: "Put it beside the model")
    }

    private func realPath(_ path: String) -> String? {
      guard let resolved = realpath(path, nil) else { return nil }
      defer { free(resolved) }
      return String(cString: resolved)
    }

    private func isRegularFile(_ path: String) -> Bool {
      var info = stat()
      return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
    }
  }

  /// A file whose SHA-1 is known. It is compared before the first of its bytes is used: looking at a model without
  /// reading its data costs nothing.
  private final class CheckedFile: ByteSource {
    private let file: InputFile
    private let checksum: String
    private let outcome = Mutex<Result<Void, FileError>?>(nil)

    init(_ file: InputFile, checksum: String) throws(FileError) {
      let digits = checksum.utf8
      guard digits.count == 40, checksum.allSatisfy(\.isHexDigit), checksum.utf8.allSatisfy({ $0 < 0x80 }) else {
        throw FileError(.malformed, "external data: checksum '\(escaped(checksum))', allowed 40 hexadecimal digits")
      }
      self.file = file
      self.checksum = checksum.lowercased()
    }

    var count: Int { file.count }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
      try outcome.withLock { (outcome) -> Result<Void, FileError> in
        if let outcome { return outcome }
        let result = compare()
        outcome = result
        return result
      }.get()
      try file.read(at: offset, into: buffer)
    }

    private func compare() -> Result<Void, FileError> {
      do throws(FileError) {
        let found = try SHA256.hex(ONNX.sha1(of: Bytes(file)))
        guard found == checksum else {
          throw FileError(.mismatch, "SHA-1 is \(found), the model says \(checksum)", file: file.path)
        }
        return .success(())
      } catch {
        return .failure(error)
      }
    }
  }

  static func sha1(of bytes: Bytes) throws(FileError) -> [UInt8] {
    let hash = SHA256.sha1()
    try bytes.forEachChunk { (chunk) throws(FileError) in hash.update(chunk) }
    return try hash.finalize()
  }
}
