import ConnectionPool
import Glibc
import Testing

@Suite(.timeLimit(.minutes(1))) struct ThreadExecutorTests {
  actor Blocking {
    private let executor = ThreadExecutor()
    private var count = 0
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    func threadID() -> Int { Int(pthread_self()) }

    func waitForByte(from descriptor: Int32) -> Int {
      var byte: UInt8 = 0
      return read(descriptor, &byte, 1)
    }

    func increment() -> Int {
      let before = count
      sched_yield()
      count = before + 1
      return count
    }

    func blocksCtrlC() -> Bool {
      var mask = sigset_t()
      pthread_sigmask(SIG_BLOCK, nil, &mask)
      return sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGSEGV) == 0
    }
  }

  @Test func eachActorHasOneThreadOfItsOwn() async {
    let (first, second) = (Blocking(), Blocking())
    let thread = await first.threadID()
    for _ in 0..<50 { #expect(await first.threadID() == thread) }
    #expect(await second.threadID() != thread)
    #expect(await first.blocksCtrlC())
  }

  /// More calls block than Swift has threads, and the task that frees them needs one of those: were they shared,
  /// this would never end.
  @Test func blockingCallsStopNobodyElse() async throws {
    let actors = (0..<64).map { _ in Blocking() }
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    defer {
      close(reading)
      close(writing)
    }
    await withTaskGroup(of: Int.self) { group in
      for actor in actors { group.addTask { await actor.waitForByte(from: reading) } }
      group.addTask {
        // Let them all come to their wait.
        for actor in (0..<4).map({ _ in Blocking() }) { _ = await actor.threadID() }
        let bytes = [UInt8](repeating: 1, count: actors.count)
        return write(writing, bytes, bytes.count)
      }
      let total = await group.reduce(0, +)
      #expect(total == 2 * actors.count)
    }
  }

  @Test func jobsRunOneAfterTheOther() async {
    let actor = Blocking()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<1000 { group.addTask { _ = await actor.increment() } }
    }
    #expect(await actor.increment() == 1001)
  }

  @Test func theThreadEndsWithItsActor() async throws {
    func threads() throws -> Int {
      let stream = try #require(opendir("/proc/self/task"))
      defer { closedir(stream) }
      var count = 0
      while readdir(stream) != nil { count += 1 }
      return count
    }
    func makeAndDrop() async {
      for _ in 0..<200 { _ = await Blocking().threadID() }
    }
    let before = try threads()
    await makeAndDrop()
    // Other tests come and go meanwhile; two hundred leaked threads would show.
    var after = try threads()
    for _ in 0..<100 where after > before + 100 {
      try await Task.sleep(for: .milliseconds(20))
      after = try threads()
    }
    #expect(after < before + 100)
  }
}
