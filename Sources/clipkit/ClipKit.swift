import ArgumentParser

@main
struct ClipKit: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "clipkit", version: "0.1.0")
}
