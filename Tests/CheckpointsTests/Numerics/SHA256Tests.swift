import Checkpoints
import Testing

@Suite struct SHA256Tests {
  /// The examples of FIPS 180-2, appendix B, and the digest of the empty message.
  static let vectors: [(message: [UInt8], digest: String)] = [
    ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (Array("abc".utf8), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000),
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    ),
  ]

  @Test(arguments: vectors.indices) func standardMessages(_ index: Int) throws {
    let (message, digest) = Self.vectors[index]
    #expect(SHA256.hex(try SHA256.hash(of: Bytes(message))) == digest)
  }

  @Test func partsGiveTheDigestOfTheWhole() throws {
    let (message, digest) = Self.vectors[2]
    for cut in 0...message.count {
      let hash = SHA256()
      message[..<cut].withUnsafeBytes { hash.update($0) }
      message[cut...].withUnsafeBytes { hash.update($0) }
      #expect(SHA256.hex(try hash.finalize()) == digest)
    }
  }

  @Test func finalizingTwiceIsRefused() throws {
    let hash = SHA256()
    _ = try hash.finalize()
    #expect(throws: FileError.self) { try hash.finalize() }
  }

  @Test func threadsDoNotDisturbEachOther() throws {
    let digests = try parallelMap(64, threads: 8) { (index) throws(FileError) in
      SHA256.hex(try SHA256.hash(of: Bytes(Self.vectors[index % 4].message)))
    }
    #expect(digests == (0..<64).map { Self.vectors[$0 % 4].digest })
  }
}
