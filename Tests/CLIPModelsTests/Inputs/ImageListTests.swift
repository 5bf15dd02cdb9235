import CLIPModels
import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct ImageListTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func write(_ names: String..., content: [UInt8] = [1, 2, 3]) throws {
    for name in names { try directory.write(content, to: name) }
  }

  private func paths(_ names: String...) -> [String] { names.map { directory.file($0) } }

  @Test func aDirectoryIsReadInTheOrderOfItsBytes() throws {
    for name in ["a", "a/z", "é"] { mkdir(directory.file(name), 0o755) }
    try write("b.PNG", "a/b.jpg", "a.jpg", "a-1.webp", "Z.gif", "é/x.jpeg", "é.jpg", "z\u{1F408}.png", "a/z/1.tiff")
    let list = try ImageList([directory.path])
    // '-' and '.' come before '/', capitals before small letters, ASCII before the rest.
    #expect(
      list.paths
        == paths(
          "Z.gif", "a-1.webp", "a.jpg", "a/b.jpg", "a/z/1.tiff", "b.PNG", "z\u{1F408}.png", "é.jpg", "é/x.jpeg"))
    #expect(list.skipped == 0)
    #expect(try ImageList(["\(directory.path)//"]).paths.first == "\(directory.path)//Z.gif")
  }

  /// It will fail as an image that cannot be opened.
  @Test func aNameThatIsNotUTF8IsNotPassedOver() throws {
    let bytes = Array(directory.file("caf").utf8CString.dropLast()) + [CChar(bitPattern: 0xE9)]
    let descriptor = open(bytes + Array(".jpg".utf8CString), O_WRONLY | O_CREAT, 0o600)
    // Some file systems take UTF-8 alone.
    guard descriptor >= 0 else { return }
    close(descriptor)
    let list = try ImageList([directory.path])
    #expect(list.paths == paths("caf\u{FFFD}.jpg") && list.skipped == 0)
  }

  @Test func contentTellsWhatTheNameDoesNot() throws {
    try write("jpeg", content: [0xFF, 0xD8, 0xFF, 0xE0])
    try write("png.dat", content: [0x89] + Array("PNG\r\n\u{1A}\n".utf8))
    try write("webp", content: Array("RIFF\0\0\0\0WEBP".utf8))
    try write("avif", content: Array("\0\0\0\u{1C}ftypavif".utf8))
    try write("gif", content: Array("GIF89a".utf8))
    try write("tiff", content: Array("II*\0".utf8))
    try write("jxl", content: [0, 0, 0, 0x0C] + Array("JXL ".utf8))
    // Not pictures, and one that says it is.
    try write("readme.txt", "labels.json", "png", "riff")
    try write("video", content: Array("\0\0\0\u{1C}ftypisom".utf8))
    try write("empty", content: [])
    try write("broken.jpg", content: [])
    let list = try ImageList([directory.path])
    #expect(list.paths == paths("avif", "broken.jpg", "gif", "jpeg", "jxl", "png.dat", "tiff", "webp"))
    #expect(list.skipped == 6)
  }

  @Test func whatIsHiddenOrNoFileIsPassedOver() throws {
    for name in [".git", "sub"] { mkdir(directory.file(name), 0o755) }
    try write("a.png", ".hidden.png", ".git/b.png", "sub/c.png")
    mkfifo(directory.file("fifo.png"), 0o644)
    symlink("sub", directory.file("link"))
    symlink(".", directory.file("loop"))
    symlink("a.png", directory.file("linked.png"))
    symlink("nowhere", directory.file("dangling.png"))
    symlink("nowhere", directory.file("dangling"))
    let list = try ImageList([directory.path])
    #expect(list.paths == paths("a.png", "dangling.png", "linked.png", "sub/c.png"))
    // .hidden.png, .git, fifo.png, link, loop, dangling
    #expect(list.skipped == 6)
    #expect(try ImageList(paths("link")).paths == paths("link/c.png"))
  }

  @Test func argumentsMustBeThere() throws {
    try write("a.png", "notes")
    mkdir(directory.file("empty"), 0o755)
    // A file is what its user says.
    #expect(try ImageList(paths("notes", "a.png", "a.png")).paths == paths("notes", "a.png", "a.png"))
    let missing = #expect(throws: FileError.self) { try ImageList(paths("a.png", "b.png")) }
    #expect(missing?.kind == .missing && missing?.file == directory.file("b.png"))
    #expect(missing?.message == "cannot open: No such file or directory")
    let empty = #expect(throws: FileError.self) { try ImageList(paths("a.png", "empty")) }
    #expect(empty?.kind == .missing && empty?.message == "no images in this directory")
  }

  @Test func aListIsLinesOrEndedByNUL() throws {
    #expect(try ImageList(parsing: Array("a b.png\r\nc\n".utf8)).paths == ["a b.png", "c"])
    let names = "a\nb.png\0\u{FEFF}c\r\0"
    #expect(try ImageList(parsing: Array(names.utf8), nulSeparated: true).paths == ["a\nb.png", "\u{FEFF}c\r"])
    for (text, nulSeparated, message) in [
      ("", false, "no paths of images"), ("a\n\n", false, "line 2 is empty, expected a path"),
      ("a\0\0", true, "entry 2 is empty, expected a path"), ("a\0b\n", false, "line 1 contains NUL"),
      ("a\n" + String(repeating: "x", count: 4097), false, "line 2 has 4097 bytes, allowed 4096"),
    ] {
      let error = #expect(throws: FileError.self) {
        try ImageList(parsing: Array(text.utf8), nulSeparated: nulSeparated)
      }
      #expect(error?.message == message)
    }
  }
}
