/// What `up` writes down for every later command: where the servers are. Lines of `name=value`.
struct StateFile: Sendable, Equatable {
  let layout: Layout
  /// The directory of the PostgreSQL programs that made the data.
  let programs: String
  /// False from the moment that `up` begins until the databases can be used.
  var isReady: Bool

  private static let heading = "ironforge-sandbox=1"

  static func path(in directory: String) -> String {
    (directory == "/" ? "" : directory) + "/.ironforge/sandbox.state"
  }

  /// The state of the sandbox of `directory`, or nil when there has never been one.
  static func read(in directory: String) throws(SandboxFailure) -> StateFile? {
    let path = path(in: directory)
    guard let text = try Files.read(path) else { return nil }
    guard let state = StateFile(text: text) else { throw .malformedState(path: path) }
    return state
  }

  func write(in directory: String) throws(SandboxFailure) {
    try Files.replace(Self.path(in: directory), with: text)
  }

  init(layout: Layout, programs: String, isReady: Bool) {
    self.layout = layout
    self.programs = programs
    self.isReady = isReady
  }

  init?(text: String) {
    let lines = text.split(separator: "\n")
    guard lines.first.map(String.init) == Self.heading else { return nil }
    var values: [Substring: String] = [:]
    for line in lines.dropFirst() {
      guard let sign = line.firstIndex(of: "=") else { return nil }
      values[line[..<sign]] = String(line[line.index(after: sign)...])
    }
    guard let home = values["home"], let sockets = values["sockets"], let programs = values["programs"],
      let ready = values["ready"], home.hasPrefix("/"), sockets.hasPrefix("/")
    else { return nil }
    self.init(
      layout: Layout(home: home, sockets: sockets), programs: programs, isReady: ready == "1")
  }

  var text: String {
    """
    \(Self.heading)
    home=\(layout.home)
    sockets=\(layout.sockets)
    programs=\(programs)
    ready=\(isReady ? 1 : 0)

    """
  }
}
