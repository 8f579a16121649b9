import Testing

@testable import HTTPLoad

/// Where an answer of HTTP/1.1 ends, whatever the pieces in which it comes.
@Suite struct ResponseParserTests {
  private struct Outcome: Equatable {
    var status = 0
    var isComplete = false
    var keepsAlive = true
    /// Bytes behind the answer.
    var left = 0
  }

  /// Reads `text` in pieces of `size` bytes, then the end of the connection if `ends`.
  private static func read(
    _ text: String, size: Int = .max, isHead: Bool = false, ends: Bool = false
  ) throws -> Outcome {
    var parser = ResponseParser()
    parser.begin(isHead: isHead)
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty, !parser.isComplete {
      let piece = Array(bytes.prefix(size))
      bytes = bytes.dropFirst(try piece.withUnsafeBytes { try parser.read($0) })
    }
    let isComplete = ends ? parser.end() : parser.isComplete
    return Outcome(
      status: parser.status, isComplete: isComplete, keepsAlive: parser.keepsAlive, left: bytes.count)
  }

  /// The same in one piece, byte by byte, and in between.
  private static func inPieces(_ text: String, isHead: Bool = false, ends: Bool = false) throws -> Outcome {
    let whole = try read(text, isHead: isHead, ends: ends)
    for size in [1, 2, 3, 7, 16] {
      #expect(
        try read(text, size: size, isHead: isHead, ends: ends) == whole, "in pieces of \(size): \(text)")
    }
    return whole
  }

  @Test(arguments: [
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, true),
    ("HTTP/1.1 200\r\ncontent-LENGTH:5\r\n\r\nhello", 200, true),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n\r\nhello", 200, true),
    ("HTTP/1.1 404 Not Found\nContent-Length: 0\n\n", 404, true),
    ("HTTP/1.1 204 No Content\r\n\r\n", 204, true),
    ("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", 304, true),
    ("HTTP/1.1 200 OK\r\nConnection: Upgrade, Close\r\nContent-Length: 1\r\n\r\nx", 200, false),
    ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, false),
    ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx", 200, true),
    (
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno",
      503, true
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, true),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n5;name=\"v\"\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n",
      200, true
    ),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200,
      false
    ),
    ("HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 1\r\n\r\nx", 200, true),
  ])
  func answersHaveTheirEnd(text: String, status: Int, keepsAlive: Bool) throws {
    let expected = Outcome(status: status, isComplete: true, keepsAlive: keepsAlive)
    #expect(try Self.inPieces(text) == expected, "\(text)")
    // Not a byte sooner, and none of what comes behind.
    #expect(try !Self.inPieces(String(text.dropLast())).isComplete || status == 304 || status == 204)
    #expect(try Self.read(text + "HTTP").left == 4)
  }

  @Test func anAnswerToHeadHasNoBody() throws {
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
    #expect(try Self.inPieces(text, isHead: true).isComplete)
    #expect(try !Self.inPieces(text).isComplete)
  }

  @Test func theEndOfTheConnectionIsTheEndOfWhatHasNoOther() throws {
    let open = "HTTP/1.1 200 OK\r\n\r\nas long as it takes"
    #expect(try !Self.inPieces(open).isComplete)
    #expect(
      try Self.inPieces(open, ends: true) == Outcome(status: 200, isComplete: true, keepsAlive: false))
    for cut in [
      "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
      #expect(try !Self.inPieces(cut, ends: true).isComplete, "\(cut)")
    }
  }

  @Test(arguments: [
    "HTTP/2 200 OK\r\n", "HTTP/1.2 200 OK\r\n", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 2000\r\n",
    "HTTP/1.1 099 x\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n", "\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon here\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n", "HTTP/1.1 200 OK\r\nContent-Length:\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n;x\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
  ])
  func whatIsNoAnswerIsRefused(text: String) {
    for size in [1, 3, Int.max] {
      #expect(throws: ResponseParser.Fault.malformed, "\(text)") { try Self.read(text, size: size) }
    }
  }

  @Test func headersHaveABound() {
    let long = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: ResponseParser.headBytesMax)
    let many = "HTTP/1.1 200 OK\r\n" + String(repeating: "X: y\r\n", count: ResponseParser.headBytesMax / 6)
    for text in [long, many] {
      #expect(throws: ResponseParser.Fault.headTooLarge) { try Self.read(text, size: 1000) }
    }
    let interim = String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 17)
    #expect(throws: ResponseParser.Fault.malformed) { try Self.read(interim) }
  }

  @Test func noBytesBreakIt() throws {
    var random = SystemRandomNumberGenerator()
    let pieces = [
      "HTTP/1.1 ", "200", " OK", "\r\n", "\n", "Content-Length: ", "5", "Transfer-Encoding: chunked", "0",
      "ff", ":",
      "Connection: close", " ", "\t", "\u{0}", "HTTP/1.0 100", ",", ";",
    ]
    for _ in 0..<20_000 {
      let text = (0..<Int.random(in: 1...12, using: &random)).map { _ in
        pieces.randomElement(using: &random) ?? ""
      }
      .joined()
      let whole = Result { try Self.read(text, ends: true) }
      let single = Result { try Self.read(text, size: 1, ends: true) }
      switch (whole, single) {
      case (.success(let one), .success(let other)): #expect(one == other, "\(text.debugDescription)")
      case (.failure, .failure): break
      default: Issue.record("the pieces decide: \(text.debugDescription)")
      }
    }
  }
}
