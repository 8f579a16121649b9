import Primitives
import Testing

/// Vectors of FIPS 180-4's examples and of the NIST "Cryptographic Standards and Guidelines" page.
struct SHA256Tests {
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    ),
  ])
  func publishedVectors(text: String, expected: String) {
    #expect(SHA256.digest(of: text.utf8).hexadecimal == expected)
  }

  @Test func aMillionTimesA() {
    var hash = SHA256()
    let chunk = [UInt8](repeating: UInt8(ascii: "a"), count: 1000)
    for _ in 0..<1000 { hash.update(chunk) }
    #expect(
      hash.finalize().hexadecimal == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func theSplitIntoChunksDoesNotMatter() {
    let data = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    for length in [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 300] {
      let whole = SHA256.digest(of: data.prefix(length))
      for split in [0, 1, 13, 55, 56, 63, 64, 65, 128] where split <= length {
        var hash = SHA256()
        hash.update(data[..<split])
        _ = hash.finalize()
        hash.update(data[split..<length])
        #expect(hash.finalize() == whole, "length \(length), split at \(split)")
      }
    }
  }
}
