import Checkpoints
import TestSupport
import Testing

/// Pickles that share one large container among many small ones: short to read, and quadratic to walk through.
@Suite struct PickleSharingTests {
  let file: PyTorchFile
  init() throws { file = try PyTorchFile() }

  private static let members = 40_000
  private static let sharers = 2_000

  /// A dict with `members` entries without a name, and others; memo 1.
  private static func large(_ others: [UInt8] = []) -> [UInt8] {
    P.emptyDict + P.mark + [UInt8](repeating: 0x4E, count: 2 * members) + others + P.setItems + P.put(1)
  }

  private static func items(_ value: [UInt8]) -> [UInt8] { (0..<sharers).flatMap { P.text("\($0)") + value } }

  private static let module = P.global("m", "M") + P.put(2)

  static let pickles: [(name: String, value: [UInt8])] = [
    (
      "members of a shared branch",
      P.emptyDict + P.mark + P.text("t") + large(P.text("t") + P.tensor()) + items(P.get(1)) + P.setItems
    ),
    (
      "metadata of tensors",
      large() + [0x30] + P.emptyDict + P.mark + items(P.tensor(metadata: P.get(1))) + P.setItems
    ),
    (
      "states of objects",
      large() + [0x30] + module + [0x30] + P.emptyDict + P.mark
        + items(P.get(2) + P.emptyTuple + P.newObject + P.get(1) + P.build) + P.text("w") + P.tensor() + P.setItems
    ),
    (
      "parameters of modules",
      P.dict(("_parameters", large(P.text("t") + P.tensor())), ("_modules", P.emptyDict), ("_buffers", P.emptyDict))
        + P.put(3) + [0x30] + module + [0x30] + P.emptyDict + P.mark
        + items(P.get(2) + P.emptyTuple + P.newObject + P.get(3) + P.build) + P.setItems
    ),
  ]

  @Test(arguments: pickles.indices) func sharedContainersAreBounded(_ index: Int) throws {
    let (name, value) = Self.pickles[index]
    let time = try ContinuousClock().measure {
      let error = try file.error(P.pickle(value))
      #expect(
        error?.message.hasPrefix("shared values unfold to more than ") == true, "\(name): \(error?.message ?? "")")
      #expect(error?.kind == .malformed && error?.offset != nil)
    }
    #expect(time < .seconds(20), "\(name)")
  }

  @Test func sharedTextsAreBounded() throws {
    let text = P.text(String(repeating: "z", count: 100_000)) + P.put(1)
    let value = P.emptyDict + P.mark + P.text("w") + P.tensor() + P.text("m") + text + Self.items(P.get(1)) + P.setItems
    #expect(try file.error(P.pickle(value))?.message.hasPrefix("shared texts unfold to more metadata than") == true)
  }

  @Test func namesOfClassesAndKeysOfStoragesAreShort() throws {
    let long = String(repeating: "y", count: 1025)
    let global = try file.error(P.pickle(P.dict(("a", P.global("x", long)), ("w", P.tensor()))))
    #expect(global?.message.hasPrefix("names 'x.yyy") == true)
    let key = try file.error(P.pickle(P.dict(("w", P.tensor(P.storage(long))))), storages: [(long, sixFloats)])
    #expect(key?.message == "storage key of 1025 bytes, allowed 1024")
    #expect(key?.tensor == "w")
  }
}
