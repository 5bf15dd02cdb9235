internal import CLibcrypto

/// SHA-256 of bytes that come in parts, at the speed of libcrypto (which uses the processor's SHA instructions).
///
/// One instance belongs to one thread; any number of instances may work at the same time.
public final class SHA256 {
  /// How many bytes a digest has.
  public static let byteCount = 32
  private let context: OpaquePointer?
  private let byteCount: Int
  private var isValid: Bool

  /// Begins an empty message.
  public convenience init() { self.init(EVP_sha256(), byteCount: Self.byteCount) }

  /// Begins an empty message for SHA-1, which formats of others ask for: it tells damage, not malice.
  static func sha1() -> SHA256 { SHA256(EVP_sha1(), byteCount: 20) }

  private init(_ algorithm: OpaquePointer?, byteCount: Int) {
    self.byteCount = byteCount
    context = EVP_MD_CTX_new()
    isValid = context != nil && EVP_DigestInit_ex(context, algorithm, nil) == 1
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Appends bytes to the message.
  public func update(_ buffer: UnsafeRawBufferPointer) {
    guard isValid, !buffer.isEmpty else { return }
    isValid = EVP_DigestUpdate(context, buffer.baseAddress, buffer.count) == 1
  }

  /// The bytes of the digest, 32 of SHA-256. The message is then complete: a second call throws.
  ///
  /// Throws `io` when libcrypto failed (it has no memory, or a policy of the system forbids it).
  public func finalize() throws(FileError) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: byteCount)
    var length: UInt32 = 0
    isValid = isValid && EVP_DigestFinal_ex(context, &digest, &length) == 1
    guard isValid, Int(length) == byteCount else { throw FileError(.io, "libcrypto cannot compute a digest") }
    isValid = false
    return digest
  }

  /// The digest of `bytes`, read in chunks.
  public static func hash(of bytes: Bytes) throws(FileError) -> [UInt8] {
    let hash = SHA256()
    try bytes.forEachChunk { (chunk) throws(FileError) in hash.update(chunk) }
    return try hash.finalize()
  }

  /// A digest in lower-case hexadecimal.
  public static func hex(_ digest: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
