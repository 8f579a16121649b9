import TestSupport
import Testing

@testable import Redis

@Suite struct CommandBufferTests {
  /// The same bytes as by `Command`, whatever the words.
  @Test func encodesAsCommandsDo() {
    let numbers = [0, 7, -1, 10, 99, 100, -1234, Int.max, Int.min]
    var buffer = CommandBuffer()
    var expected: [UInt8] = []
    for number in numbers {
      buffer.begin(words: 4)
      buffer.append("SET")
      buffer.append(Array("é\r\n\u{0}".utf8)[...])
      buffer.append([1, 2, 0, 255][1...])
      buffer.append(number)
      Command("SET", "é\r\n\u{0}", .bytes([2, 0, 255]), .integer(number)).encode(digest: nil, into: &expected)
    }
    let long = [UInt8](repeating: 65, count: 12_345)
    buffer.begin(words: 1)
    buffer.append(long[...])
    Command([.bytes(long)]).encode(digest: nil, into: &expected)
    #expect(buffer.bytes == expected)
    #expect(buffer.ends.count == numbers.count + 1 && buffer.ends.last == expected.count)
    #expect(CommandBuffer().ends.isEmpty)
  }

  @Test func runsInOnePipelineAndReportsErrorsAsValues() async throws {
    try await withRedis { server in
      let url = server.url
      let replies = try await blocking {
        let session = try Session(connecting: Endpoint(url: url))
        var buffer = CommandBuffer()
        for number in 1...3000 {
          buffer.begin(words: 3)
          buffer.append("SET")
          buffer.append(Array("key:\(number)".utf8)[...])
          buffer.append(number)
        }
        buffer.begin(words: 2)
        buffer.append("LPUSH")
        buffer.append(Array("key:1".utf8)[...])
        var replies: [Reply] = []
        try session.run(buffer) { index, reply in
          if index == replies.count { replies.append(reply) }
        }
        var scanned: Set<String> = []
        try session.scan(matching: "key:*") { keys in
          scanned.formUnion(keys.map { String(decoding: $0, as: UTF8.self) })
        }
        return (replies, scanned)
      }
      #expect(replies.0.count == 3001 && replies.0.dropLast().allSatisfy { $0 == .status("OK") })
      guard case .error(let error)? = replies.0.last else { throw TestFailure("no error") }
      #expect(error.code == "ERR")
      #expect(replies.1 == Set((1...3000).map { "key:\($0)" }))
    }
  }
}
