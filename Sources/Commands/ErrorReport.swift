import ArgumentParser
import Configuration
import Primitives

/// An error as the user sees it, whatever its type.
package struct ErrorReport: Sendable, Equatable {
  package var code: String
  package var message: String
  package var hint: String?
  var isRetryable = false
  var exitCode: Int32
  /// Further members of the JSON object.
  var details: [String: JSON] = [:]

  package init(_ error: any Error) {
    guard let failure = error as? any Failure else {
      code = "unexpected"
      message = "\(error)"
      hint = "this should not happen; please report it together with the command line"
      exitCode = FailureKind.unexpected.rawValue
      return
    }
    code = failure.code
    message = failure.message
    hint = failure.hint
    isRetryable = failure.isRetryable
    exitCode = failure.kind.rawValue
    if case .invalid(let problems)? = failure as? ConfigurationFailure {
      details["problems"] = .array(problems.map(\.json))
    }
  }

  /// A wrong command line.
  init(usage message: String, hint: String?) {
    code = "usage_error"
    self.message = message
    self.hint = hint
    exitCode = FailureKind.usage.rawValue
  }

  /// The object of SPEC section 1.2.
  var json: JSON {
    let members: [(key: String, value: JSON)] = [
      ("code", .string(code)), ("message", .string(message)), ("hint", .optional(hint)),
      ("retryable", .bool(isRetryable)), ("exit_code", .integer(Int64(exitCode))),
    ]
    let more = details.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
    return .object([(key: "error", value: .object(members + more))])
  }
}

extension ConfigurationProblem {
  var json: JSON {
    [
      "source": .string(source), "line": position.map { .integer(Int64($0.line)) } ?? .null,
      "column": position.map { .integer(Int64($0.column)) } ?? .null, "message": .string(message),
      "suggestion": .optional(suggestion),
    ]
  }
}

extension ExitCode {
  /// Ends a command that has printed its data with the exit code of `kind`, without an error message.
  init(_ kind: FailureKind) { self.init(kind.rawValue) }
}
