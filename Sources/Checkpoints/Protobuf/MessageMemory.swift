/// Memory for the structures of a message that C code packs; it goes with its last reference.
class MessageMemory {
  private var allocations: [UnsafeMutableRawPointer] = []

  deinit { for allocation in allocations { allocation.deallocate() } }

  /// A structure that `initialize` has filled.
  func new<T>(_ initialize: (UnsafeMutablePointer<T>?) -> Void) -> UnsafeMutablePointer<T> {
    let message = allocate(T.self, 1)
    initialize(message)
    return message
  }

  private func allocate<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, count * MemoryLayout<T>.stride), alignment: 16)
    allocations.append(memory)
    return memory.bindMemory(to: T.self, capacity: count)
  }

  /// The values in memory.
  func copy<T: BitwiseCopyable>(_ values: [T]) -> UnsafeMutablePointer<T> {
    let memory = allocate(T.self, values.count)
    memory.update(from: values, count: values.count)
    return memory
  }

  /// A text that ends with a NUL, which it must not hold itself.
  func string(_ text: String) throws(FileError) -> UnsafeMutablePointer<CChar>? {
    guard !text.utf8.contains(0) else { throw FileError(.unsupported, "text '\(escaped(text))' with a NUL byte") }
    return copy(text.utf8.map(CChar.init(bitPattern:)) + [0])
  }

  /// What `make` makes of each item, as C code has lists: their number, and a pointer to pointers.
  func list<Item, T>(
    _ items: [Item], _ make: (Item) throws(FileError) -> UnsafeMutablePointer<T>?
  ) throws(FileError) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<T>?>?) {
    let pointers = allocate(UnsafeMutablePointer<T>?.self, items.count)
    for (index, item) in items.enumerated() { (pointers + index).initialize(to: try make(item)) }
    return (items.count, pointers)
  }
}
