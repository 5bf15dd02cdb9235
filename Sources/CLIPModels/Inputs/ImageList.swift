public import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Paths of images: `formats/embeddings.md`, "Images".
public struct ImageList: Sendable, Equatable {
  /// The paths, in order.
  public private(set) var paths: [String] = []
  /// How many files and links in directories were passed over.
  public private(set) var skipped = 0

  /// Files as they are, and the images in and below directories.
  /// - Throws: `missing` for a path that leads nowhere, or a directory without images.
  public init(_ arguments: [String]) throws(FileError) {
    for path in arguments {
      guard FileIdentity(path: path) != nil else {
        throw FileError(.missing, "cannot open: \(String(cString: strerror(errno)))", file: path)
      }
      guard isDirectory(path) else {
        paths.append(path)
        continue
      }
      let before = paths.count
      try addImages(below: path)
      guard paths.count > before else { throw FileError(.missing, "no images in this directory", file: path) }
    }
  }

  /// Paths one to a line, or each ended by NUL.
  /// - Throws: `malformed` with the line that is no path; `truncated` when there is none.
  public init(parsing bytes: [UInt8], nulSeparated: Bool = false) throws(FileError) {
    paths = try TextLines.split(bytes, nulSeparated: nulSeparated, what: "a path", limit: Int(PATH_MAX))
    guard !paths.isEmpty else { throw FileError(.truncated, "no paths of images") }
  }

  private mutating func addImages(below root: String) throws(FileError) {
    let prefix = root.utf8.last == UInt8(ascii: "/") ? root : "\(root)/"
    var images: [String] = []
    var directories = [""]
    while let directory = directories.popLast() {
      for entry in try OutputDirectory.entries(of: prefix + directory) {
        let name = directory + entry
        switch Self.kind(of: prefix + name, entry: entry) {
        case .image: images.append(name)
        case .directory: directories.append("\(name)/")
        case .other: skipped += 1
        }
      }
    }
    images.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    paths += images.map { prefix + $0 }
  }

  private enum Kind { case image, directory, other }

  private static func kind(of path: String, entry: String) -> Kind {
    var info = stat()
    guard entry.utf8.first != UInt8(ascii: ".") else { return .other }
    // A name that is not UTF-8 cannot be opened as it is written here: it fails as an image, and is not passed over.
    guard lstat(path, &info) == 0 else { return ImageSignature.isName(entry) ? .image : .other }
    if info.st_mode & S_IFMT == S_IFDIR { return .directory }
    if info.st_mode & S_IFMT == S_IFLNK {
      // A link that leads nowhere is an image that is missing when its name says that it is one.
      guard stat(path, &info) == 0 else { return ImageSignature.isName(entry) ? .image : .other }
    }
    guard info.st_mode & S_IFMT == S_IFREG else { return .other }
    return ImageSignature.isName(entry) || ImageSignature.begins(path) ? .image : .other
  }
}

/// How pictures are told from other files in a directory; those that cannot be decoded too, so that none is passed over.
enum ImageSignature {
  private static let extensions: Set<String> = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "heif", "jp2", "jxl",
  ]
  private static let others = ["GIF", "TIFF", "BigTIFF", "JPEG XL", "JPEG 2000", "AVIF", "HEIC"]

  /// Whether the file's name says that it is a picture.
  static func isName(_ name: String) -> Bool {
    guard let dot = name.lastIndex(of: ".") else { return false }
    return extensions.contains(name[name.index(after: dot)...].lowercased())
  }

  /// Whether the file's content begins as a picture's does, and as nothing else is likely to.
  static func begins(_ path: String) -> Bool {
    guard let head = try? InputFile(path).head(16), let format = ImageFormat(head: head) else { return false }
    if case .other(let name) = format { return others.contains(name) }
    return true
  }
}
