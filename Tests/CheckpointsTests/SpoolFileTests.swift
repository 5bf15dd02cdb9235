import Checkpoints
import TestSupport
import Testing

@Suite struct SpoolFileTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  @Test func whatWasAppendedIsReadBack() throws {
    var spool: SpoolFile? = try SpoolFile(besides: directory.file("out"))
    #expect(try spool?.bytes().count == 0)
    for byte in UInt8(0)..<100 {
      try [UInt8](repeating: byte, count: 1000).withUnsafeBytes { try spool?.append($0) }
    }
    let bytes = try #require(try spool?.bytes())
    spool = nil
    #expect(bytes.count == 100_000)
    #expect(try bytes.slice(1998, 4).load() == [1, 1, 2, 2])
    #expect(try OutputDirectory.entries(of: directory.path).isEmpty)
  }

  @Test func aMissingDirectoryIsNamed() {
    let error = #expect(throws: FileError.self) { try SpoolFile(besides: directory.file("none/out")) }
    #expect(error?.kind == .cannotCreate && error?.file == directory.file("none/out"))
  }
}
