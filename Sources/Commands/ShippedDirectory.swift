import Glibc
import Primitives

/// A directory of files that come with IronForge: the migrations, the fixtures.
///
/// It is looked for where a person works, beside the installed binary, and in the source tree that the binary was
/// built in.
struct ShippedDirectory: Sendable {
  /// The directory's name, such as `migrations`.
  let name: String
  /// The argument by which a user names another one, for the hint.
  let argument: String

  static let migrations = ShippedDirectory(name: "migrations", argument: "--dir DIR")
  static let fixtures = ShippedDirectory(name: "fixtures", argument: "a directory")

  /// The path of the directory.
  ///
  /// - Parameter chosen: what the user named; taken as it is.
  /// - Throws: `directory_not_found`, with the places that were tried.
  func path(chosen: String?) throws(SimpleFailure) -> String {
    if let chosen { return chosen }
    let places = places(binary: Self.binary())
    if let place = places.first(where: isDirectory) { return place }
    throw SimpleFailure(
      .configuration, code: "directory_not_found",
      message: "no directory of \(name) was found; tried \(places.joined(separator: ", "))",
      hint: "name it: \(argument)")
  }

  /// Where to look, best first, for a program at the absolute path `binary`.
  func places(binary: String?) -> [String] {
    var places = [name]
    guard let binary else { return places }
    let parts = binary.split(separator: "/").dropLast()
    places.append("/" + (parts.dropLast() + ["share", "ironforge", Substring(name)]).joined(separator: "/"))
    // Other directories on the way up may hold migrations of somebody else: only the tree of a package counts.
    for count in stride(from: parts.count, through: 1, by: -1) {
      let ancestor = "/" + parts.prefix(count).joined(separator: "/")
      guard access("\(ancestor)/Package.swift", F_OK) == 0 else { continue }
      places.append("\(ancestor)/\(name)")
      break
    }
    return places
  }

  /// The program's own file, with symbolic links resolved; nil where the system does not tell.
  private static func binary() -> String? {
    guard let resolved = realpath("/proc/self/exe", nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
