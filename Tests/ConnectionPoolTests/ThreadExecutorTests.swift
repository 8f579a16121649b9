import ConnectionPool
import Glibc
import Testing

@Suite(.timeLimit(.minutes(1))) struct ThreadExecutorTests {
  actor Blocking {
    private let executor = ThreadExecutor()
    private var count = 0
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    func threadID() -> Int { Int(pthread_self()) }
    func sleep(milliseconds: UInt32) { usleep(milliseconds * 1000) }

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

  @Test func blockingCallsStopNobodyElse() async throws {
    let actors = (0..<8).map { _ in Blocking() }
    let clock = ContinuousClock()
    await withTaskGroup(of: Void.self) { group in
      for actor in actors { group.addTask { await actor.sleep(milliseconds: 700) } }
      let elapsed = await clock.measure {
        for _ in 0..<10 { await Task.yield() }
        await Task { await Task.yield() }.value
      }
      #expect(elapsed < .milliseconds(500))
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
