import Glibc
import Primitives

/// `ironforge-serve`, the program with the event loops: it serves, and generates load over HTTP.
enum ServeProgram {
  static let name = "ironforge-serve"

  /// Becomes the program with `words` as its arguments; returns only by throwing. To be called on the main thread: others
  /// have signals blocked, which would stay so.
  ///
  /// - Throws: `serve_not_installed`, `serve_not_started`.
  static func become(_ words: some Sequence<String>) throws -> Never {
    guard let path = find() else {
      throw SimpleFailure(
        .configuration, code: "serve_not_installed",
        message: "\(name) is neither beside ironforge nor on PATH",
        hint:
          "`make install` and the Debian package bring it; from the sources: swift build --product \(name)")
    }
    var arguments = ([name] + words).map { strdup($0) }
    arguments.append(nil)
    execv(path, arguments)
    let reason = String(cString: strerror(errno))
    for argument in arguments { free(argument) }
    throw SimpleFailure(
      .configuration, code: "serve_not_started", message: "\(path) cannot be started: \(reason)")
  }

  /// Beside this program, links resolved, or on PATH.
  private static func find() -> String? {
    var places: [String] = []
    if let binary = realpath("/proc/self/exe", nil) {
      defer { free(binary) }
      places.append(
        "/" + String(cString: binary).split(separator: "/").dropLast().joined(separator: "/"))
    }
    if let path = getenv("PATH") {
      places += String(cString: path).split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
    }
    return places.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }
}
