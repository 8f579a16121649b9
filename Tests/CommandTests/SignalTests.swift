import Glibc
import Primitives
import Testing

@testable import Commands

@Suite struct SignalTests {
  @Test func theFirstSignalRunsTheCancellationAndTheSecondEndsTheProcess() async {
    await #expect(processExitsWith: .exitCode(130)) {
      let (cancelled, announce) = AsyncStream.makeStream(of: Void.self)
      let registration = try Commands.Signals.shared.onStop { announce.yield() }
      kill(getpid(), SIGINT)
      for await _ in cancelled { break }
      guard Commands.Signals.shared.received == SIGINT else { exit(1) }
      kill(getpid(), SIGINT)
      sleep(10)
      withExtendedLifetime(registration) { exit(2) }
    }
  }

  @Test func sigtermEndsWith143() async {
    await #expect(processExitsWith: .exitCode(143)) {
      let registration = try Commands.Signals.shared.onStop {}
      await Task.yield()
      kill(getpid(), SIGTERM)
      while Commands.Signals.shared.received == nil { usleep(1000) }
      do throws(SimpleFailure) {
        try Commands.Signals.shared.check()
      } catch {
        exit(error.kind.rawValue)
      }
      withExtendedLifetime(registration) { exit(2) }
    }
  }

  @Test func withoutAnythingToCancelTheDefaultActionHolds() async {
    await #expect(processExitsWith: .signal(SIGINT)) {
      try Commands.Signals.shared.check()
      kill(getpid(), SIGINT)
      sleep(10)
    }
  }

  @Test func aRegistrationThatHasGoneIsNotCalled() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let (second, announce) = AsyncStream.makeStream(of: Void.self)
      do {
        let gone = try Commands.Signals.shared.onStop { exit(3) }
        withExtendedLifetime(gone) {}
      }
      let kept = try Commands.Signals.shared.onStop { announce.yield() }
      kill(getpid(), SIGTERM)
      for await _ in second { break }
      withExtendedLifetime(kept) { exit(0) }
    }
  }

  @Test func anIgnoredSignalStaysIgnored() async {
    await #expect(processExitsWith: .exitCode(0)) {
      signal(SIGINT, SIG_IGN)
      let registration = try Commands.Signals.shared.onStop { exit(3) }
      kill(getpid(), SIGINT)
      usleep(50_000)
      withExtendedLifetime(registration) { exit(Commands.Signals.shared.received == nil ? 0 : 4) }
    }
  }
}
