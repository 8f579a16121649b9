import Glibc
internal import NIOHTTP1
internal import Primitives

/// The secret that a client must show. Its text is not kept.
struct BearerToken: Sendable {
  private let digest: [UInt8]

  /// - Throws: `token_unusable` for one that is shorter than 16 characters or longer than 1024, or cannot stand in a header.
  init(_ text: String) throws(SimpleFailure) {
    let isPlain = text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    guard (16...1024).contains(text.utf8.count), isPlain else {
      throw SimpleFailure(
        .configuration, code: "token_unusable",
        message: "the bearer token must be 16 to 1024 printable ASCII characters, without blanks",
        hint: "make one: openssl rand -hex 32 > token")
    }
    digest = Self.digest(of: text[...])
  }

  /// What `--token-file` or `IRONFORGE_SERVE_TOKEN` holds; nil where neither is given.
  ///
  /// - Throws: `token_unusable`; the error of a file that cannot be read.
  static func configured(file: String?) throws(SimpleFailure) -> BearerToken? {
    if let file {
      let input = try InputFile(file)
      var bytes = [UInt8](repeating: 0, count: 4096)
      var count = 0
      while count < bytes.count {
        var got = 0
        var failure: SimpleFailure?
        bytes.withUnsafeMutableBytes { buffer in
          do throws(SimpleFailure) {
            got = try input.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
          } catch { failure = error }
        }
        if let failure { throw failure }
        if got == 0 { break }
        count += got
      }
      let text = String(decoding: bytes[..<count], as: UTF8.self)
      return try BearerToken(String(text.prefix { !$0.isNewline }))
    }
    guard let value = getenv("IRONFORGE_SERVE_TOKEN"), value.pointee != 0 else { return nil }
    return try BearerToken(String(cString: value))
  }

  /// Whether `Authorization` shows the token. Digests are compared, all of their bytes whatever they are, so that the time
  /// tells nothing of the secret.
  func isShown(in headers: HTTPHeaders) -> Bool {
    guard let field = headers.first(name: "authorization") else { return false }
    let parts = field.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return false }
    var difference: UInt8 = 0
    for (a, b) in zip(digest, Self.digest(of: parts[1].trimmed)) { difference |= a ^ b }
    return difference == 0
  }

  private static func digest(of text: Substring) -> [UInt8] {
    Array(SHA256.digest(of: text.utf8).description.utf8)
  }
}
