import Checkpoints

/// The path of a file in `Fixtures/`, as "checkpoints/tiny.gguf".
public func fixture(_ name: String) -> String {
  let components = #filePath.split(separator: "/").dropLast(3)
  return "/" + components.joined(separator: "/") + "/Fixtures/" + name
}

/// The bytes of a file in `Fixtures/`.
public func fixtureBytes(_ name: String) throws -> [UInt8] {
  try Bytes(InputFile(fixture(name))).load()
}
