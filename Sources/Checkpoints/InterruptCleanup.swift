import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Hidden files and directories that must go when the process is interrupted.
///
/// Most outputs have no name until they are complete; those that do are listed here, and a program that catches
/// SIGINT or SIGTERM calls `removeAll()` before it exits.
public enum InterruptCleanup {
  private static let paths = Mutex<Set<String>>([])

  static func add(_ path: String) { paths.withLock { _ = $0.insert(path) } }
  static func remove(_ path: String) { paths.withLock { _ = $0.remove(path) } }

  /// Removes what is listed. The lock stays taken: nothing may be added between this and the exit.
  public static func removeAll() {
    paths.withLock { paths in paths.forEach { OutputDirectory.removeTree($0) } }
  }
}
