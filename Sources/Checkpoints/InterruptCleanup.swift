import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Hidden files and directories that must go when the process is interrupted.
///
/// Most outputs have no name until they are complete; those that do are listed here, and a program that catches
/// SIGINT or SIGTERM calls `exit(_:)`.
public enum InterruptCleanup {
  private static let paths = Mutex<Set<String>>([])

  /// Creates what has the name `path` and lists it, in one step for whoever interrupts; `make` returns less than 0 when
  /// it fails, with `errno`.
  static func create(_ path: String, _ make: () -> Int32) -> Int32 {
    let (result, number) = paths.withLock { paths in
      let result = make()
      if result >= 0 { paths.insert(path) }
      return (result, errno)
    }
    errno = number
    return result
  }

  static func remove(_ path: String) { paths.withLock { _ = $0.remove(path) } }

  /// Removes what is listed and ends the process. The lock stays taken: from here on nothing is added.
  public static func exit(_ code: Int32) -> Never {
    paths.withLock { paths in
      for path in paths {
        // Whoever writes into a directory may be adding a file to it just now.
        for _ in 0..<100 where !OutputDirectory.removeTree(path) {}
      }
      _exit(code)
    }
  }

  /// Returns unless the process is ending: an error that only tells of what `exit` removed is not to be reported.
  public static func waitIfInterrupted() { paths.withLock { _ in } }
}
