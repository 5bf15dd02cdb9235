internal import CSystem

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Renaming as `rename(2)` does not do it. Each returns 0, or -1 with `errno` set: `EINVAL` or `ENOSYS` where the file
/// system or the kernel cannot.
enum Rename {
  /// Fails with `EEXIST` when there is something at `to`.
  static func withoutReplacing(_ from: String, _ to: String) -> Int32 {
    #if os(Linux)
      let noReplace: UInt32 = 1  // RENAME_NOREPLACE
      return ck_renameat2(from, to, noReplace)
    #else
      return renamex_np(from, to, UInt32(RENAME_EXCL))
    #endif
  }

  /// Swaps the names of two files or directories in one step.
  static func exchanging(_ first: String, _ second: String) -> Int32 {
    #if os(Linux)
      let exchange: UInt32 = 2  // RENAME_EXCHANGE
      return ck_renameat2(first, second, exchange)
    #else
      return renamex_np(first, second, UInt32(RENAME_SWAP))
    #endif
  }
}
