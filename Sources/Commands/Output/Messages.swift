import Glibc
package import Primitives
import Synchronization

/// What is said on stderr: notes, warnings and progress. With JSON output each is one object on a line.
///
/// A failing stderr is ignored: there is nobody left to tell.
package final class Messages: Sendable {
  /// Whether `--quiet` asks for silence unless something is wrong.
  let isQuiet: Bool
  /// Whether stderr is a terminal.
  let isTerminal: Bool

  private let asJSON: Bool
  private let isColored: Bool
  private let state: Mutex<State>

  private struct State {
    var stream = FileStream(STDERR_FILENO, bufferSize: 0)
    /// Whether a progress line stands on the terminal and has to go before anything else is written.
    var hasProgressLine = false
  }

  /// `isColored` concerns stderr, and needs a terminal.
  init(asJSON: Bool, isQuiet: Bool, isColored: Bool) {
    self.asJSON = asJSON
    self.isQuiet = isQuiet
    isTerminal = isatty(STDERR_FILENO) == 1
    self.isColored = isColored && isTerminal
    state = Mutex(State())
  }

  /// A note: how to go on, what was made. Not with `--quiet`. `fields` join the object with JSON output.
  package func info(_ text: String, fields: [(key: String, value: JSON)] = []) {
    if isQuiet { return }
    asJSON ? object("info", text, fields) : line(terminalSafe(text, keepingLineBreaks: true))
  }

  /// Something is wrong but the work goes on.
  package func warning(_ text: String, fields: [(key: String, value: JSON)] = []) {
    asJSON
      ? object("warning", text, fields)
      : line(painted("warning:", "33") + " " + terminalSafe(text, keepingLineBreaks: true))
  }

  /// Why the command ends without success.
  func error(_ report: ErrorReport) {
    guard !asJSON else { return line(report.json.description) }
    line(painted("error:", "31") + " " + terminalSafe(report.message, keepingLineBreaks: true))
    if let hint = report.hint {
      line(painted("hint:", "36") + " " + terminalSafe(hint, keepingLineBreaks: true))
    }
  }

  /// One line as it is.
  func line(_ text: String) {
    write { out in
      out += text.utf8
      out.append(UInt8(ascii: "\n"))
    }
  }

  /// Replaces the progress line of the terminal; nil takes it away.
  func progressLine(_ text: String?) {
    state.withLock { state in
      guard text != nil || state.hasProgressLine else { return }
      emit(Array(("\r" + (text ?? "") + "\u{1B}[K").utf8), &state)
      state.hasProgressLine = text != nil
    }
  }

  private func object(_ kind: String, _ text: String, _ fields: [(key: String, value: JSON)]) {
    let members = [(key: "message", value: JSON.string(text))] + fields
    line(JSON.object([(key: kind, value: .object(members))]).description)
  }

  private func write(_ body: (inout [UInt8]) -> Void) {
    state.withLock { state in
      var bytes: [UInt8] = []
      if state.hasProgressLine { bytes += "\r\u{1B}[K".utf8 }
      body(&bytes)
      emit(bytes, &state)
      state.hasProgressLine = false
    }
  }

  private func emit(_ bytes: [UInt8], _ state: inout State) {
    do {
      try state.stream.write { $0 += bytes }
    } catch {
      // A closed stderr must not stop work that moves money.
    }
  }

  private func painted(_ text: String, _ color: String) -> String {
    isColored ? "\u{1B}[1;\(color)m\(text)\u{1B}[0m" : text
  }
}
