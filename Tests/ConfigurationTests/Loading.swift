import Configuration
import Glibc
import Testing

/// A directory of its own for one test, removed with it.
final class ScratchDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/ironforge-configuration-XXXXXX".utf8CString)
    let name = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
    try #require(name)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = path + "/" + name
    let stream = try #require(fopen(file, "w"))
    defer { fclose(stream) }
    #expect(fwrite(bytes, 1, bytes.count, stream) == bytes.count)
    return file
  }

  func makeDirectory(_ name: String) throws {
    try #require(mkdir(path + "/" + name, 0o755) == 0)
  }

  deinit {
    // Tests write two levels at most.
    for name in ["config/ironforge/config.toml", "ironforge.toml", "other.toml", "system.toml"] {
      unlink(path + "/" + name)
    }
    for name in ["/config/ironforge", "/config", ""] { rmdir(path + name) }
  }
}

/// Loads `file` as `ironforge.toml` of a directory in which nothing else is configured.
func load(
  _ file: String? = nil, environment: [String: String] = [:], databaseURL: String? = nil,
  sandbox: @escaping @Sendable (String) -> SandboxURLs? = { _ in nil }
) throws -> LoadedConfiguration {
  let scratch = try ScratchDirectory()
  if let file { _ = try scratch.write("ironforge.toml", Array(file.utf8)) }
  var request = ConfigurationRequest(
    databaseURL: databaseURL, environment: Environment(environment), directory: scratch.path, sandbox: sandbox
  )
  request.systemFile = scratch.path + "/system.toml"
  return try LoadedConfiguration.load(request)
}

/// The problems with `file`, each without the path: `2:1: unknown key …`.
func problems(_ file: String, environment: [String: String] = [:]) throws -> [String] {
  try load(file, environment: environment).problems.map { problem in
    let text = problem.description
    guard let range = text.firstRange(of: "ironforge.toml:") else { return text }
    return String(text[range.upperBound...])
  }
}
