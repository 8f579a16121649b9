import Primitives
import Redis
import Testing

@Suite(.timeLimit(.minutes(1))) struct ScriptTests {
  func evalshaCalls(_ session: Session) throws -> Int {
    let text = try session.execute("INFO", "commandstats").text() ?? ""
    guard
      let line = text.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix("cmdstat_evalsha:") })
    else { return 0 }
    return line.split(separator: ",").first.flatMap { Int($0.drop { $0 != "=" }.dropFirst()) } ?? -1
  }

  @Test func runsByDigest() throws {
    let server = try RedisServer()
    let session = try server.session()
    let script = Script("return {KEYS[1], ARGV[1], ARGV[2]}")
    let expected = Reply.array([.string([0x6B]), .string([0, 13, 10]), .string(Array("-5".utf8))])
    for _ in 0..<3 {
      let reply = try session.execute(
        Command(script, keys: ["k"], arguments: [.bytes([0, 13, 10]), .integer(-5)]))
      #expect(reply == expected)
    }
    #expect(try evalshaCalls(session) == 3)
  }

  @Test func isLoadedAgainAfterTheServerForgotIt() throws {
    let server = try RedisServer()
    let session = try server.session()
    let script = Script("return redis.call('INCR', KEYS[1])")
    let command = Command(script, keys: ["n"])
    #expect(try session.execute(command).integer() == 1)
    try session.execute("SCRIPT", "FLUSH")
    #expect(try session.execute(command).integer() == 2)
    try server.restart()
    #expect(try session.execute(command).integer() == 1)
    // A second server that has never seen it.
    let other = try RedisServer()
    #expect(try other.session().execute(command).integer() == 1)
  }

  @Test func isLoadedAgainInTheMiddleOfAPipeline() throws {
    let server = try RedisServer()
    let session = try server.session()
    let (first, second) = (Script("return 'a' .. ARGV[1]"), Script("return 'b' .. ARGV[1]"))
    var commands: [Command] = []
    for number in 0..<30 {
      if number == 10 { commands.append(Command("SCRIPT", "FLUSH")) }
      commands.append(Command(number % 2 == 0 ? first : second, arguments: [.integer(number)]))
      commands.append(Command("ECHO", .integer(number)))
    }
    let replies = try session.pipeline(commands)
    #expect(replies.count == 61)
    #expect(replies[20] == .status("OK"))
    let texts = try (replies[..<20] + replies[21...]).map { try $0.text() }
    #expect(texts == (0..<30).flatMap { ["\($0 % 2 == 0 ? "a" : "b")\($0)", "\($0)"] })
  }

  @Test func errorsOfAScriptAreErrors() throws {
    let server = try RedisServer()
    let session = try server.session()
    let broken = try #require(throws: RedisError.self) {
      try session.execute(Command(Script("this is no Lua")))
    }
    #expect(broken.code == "redis_err")
    let own = try #require(throws: RedisError.self) {
      try session.execute(Command(Script("return redis.error_reply('FENCED the key is fenced')")))
    }
    guard case .server(let error) = own else { throw own }
    #expect(error == ServerError(code: "FENCED", message: "the key is fenced"))
  }
}
