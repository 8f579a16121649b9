import Primitives
import Synchronization

/// When progress is shown.
enum ProgressMode: String, Sendable, CaseIterable {
  /// A line on a terminal, once the work has lasted a second.
  case auto
  /// NDJSON events on stderr, anywhere.
  case json
  case none
}

/// How far a piece of work is, as values: what to show at a moment.
struct ProgressMeter: Sendable {
  let label: String
  /// Items in all, when that is known.
  var total: Int64?
  private(set) var done: Int64 = 0
  /// What holds the work up, for people; nil for nothing.
  private(set) var note: String?
  /// Items that were done before this process began; they say nothing of its speed.
  private let doneBefore: Int64
  private let start: Int64
  private var lastShown: Int64?

  /// Nanoseconds of work before anything is shown, and between two showings.
  static let delay: Int64 = 1_000_000_000
  static let interval: Int64 = 200_000_000

  init(label: String, total: Int64?, doneBefore: Int64 = 0, start: Int64) {
    self.label = label
    self.total = total
    self.doneBefore = doneBefore
    self.start = start
    done = doneBefore
  }

  /// Records the state; true when it is time to show it.
  mutating func update(
    done: Int64, note: String? = nil, at now: Int64, interval: Int64 = ProgressMeter.interval
  ) -> Bool {
    self.done = done
    self.note = note
    guard now - start >= Self.delay, now - (lastShown ?? .min / 2) >= interval else { return false }
    lastShown = now
    return true
  }

  func perSecond(at now: Int64) -> Double {
    now > start ? Double(max(0, done - doneBefore)) * 1e9 / Double(now - start) : 0
  }

  /// Seconds left at the rate so far.
  func secondsLeft(at now: Int64) -> Double? {
    let rate = perSecond(at: now)
    guard let total, rate > 0 else { return nil }
    return Double(max(0, total - done)) / rate
  }

  /// `loading  45 %  450/1000  90/s  6 s left`
  func line(at now: Int64) -> String {
    var parts = [label]
    if let total, total > 0 {
      parts.append("\(Int(min(100, Double(done) * 100 / Double(total)))) %")
      parts.append("\(done)/\(total)")
    } else {
      parts.append("\(done)")
    }
    parts.append("\(Int(clamping: Int64(min(1e15, perSecond(at: now)).rounded())))/s")
    if let left = secondsLeft(at: now) { parts.append("\(humanDuration(.seconds(min(left, 1e9)))) left") }
    if let note { parts.append("(\(note))") }
    return parts.joined(separator: "  ")
  }

  func event(at now: Int64, isLast: Bool) -> JSON {
    let tenth = { (value: Double) in (value * 10).rounded() / 10 }
    return [
      "progress": [
        "label": .string(label), "done": .integer(done), "total": total.map(JSON.integer) ?? .null,
        "rate": .number(tenth(perSecond(at: now))),
        "eta_seconds": secondsLeft(at: now).map { .number(tenth($0)) } ?? .null, "note": .optional(note),
        "finished": .bool(isLast),
      ]
    ]
  }
}

/// Shows how far a piece of work is, as `--progress` asks. Cheap to call for every item or chunk.
final class Progress: Sendable {
  private let messages: Messages
  private let mode: ProgressMode
  private let meter: Mutex<ProgressMeter>

  /// Nothing shows off a terminal, nor with `--quiet`, unless `mode` is `json`.
  init(_ label: String, total: Int64?, doneBefore: Int64 = 0, mode: ProgressMode, messages: Messages) {
    self.messages = messages
    self.mode = mode == .auto && (!messages.isTerminal || messages.isQuiet) ? .none : mode
    meter = Mutex(
      ProgressMeter(label: label, total: total, doneBefore: doneBefore, start: monotonicNanoseconds()))
  }

  /// `done` items are done, counted from the start; `total` where it became known only now; `note` says what holds the
  /// work up.
  func update(done: Int64, total: Int64? = nil, note: String? = nil) {
    guard mode != .none else { return }
    let now = monotonicNanoseconds()
    meter.withLock { meter in
      if let total { meter.total = total }
      let interval = mode == .json ? ProgressMeter.delay : ProgressMeter.interval
      guard meter.update(done: done, note: note, at: now, interval: interval) else { return }
      switch mode {
      case .auto: messages.progressLine(meter.line(at: now))
      case .json: messages.line(meter.event(at: now, isLast: false).description)
      case .none: break
      }
    }
  }

  /// Takes the line away; with `json` tells the last state.
  func finish() {
    switch mode {
    case .auto: messages.progressLine(nil)
    case .json:
      messages.line(meter.withLock { $0.event(at: monotonicNanoseconds(), isLast: true) }.description)
    case .none: break
    }
  }
}
