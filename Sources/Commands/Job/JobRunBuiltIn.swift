import ArgumentParser
import Jobs

/// `ironforge job run settle-pending`.
struct JobRunSettlePending: JobRunVerb {
  static let configuration = CommandConfiguration(
    commandName: SettlePendingJob.name,
    abstract: "Capture open holds, each whole.",
    discussion: """
      Takes holds that have not expired. One that a rule refuses (its wallet is frozen) is listed as failed, and the \
      run goes on; a later run tries it again.

      EXAMPLES:
        ironforge job run settle-pending
        ironforge job run settle-pending --older-than 1h --max-rate 500 --json
      """)

  @Option(help: ArgumentHelp("Only holds that are at least this old.", valueName: "time"))
  var olderThan = HumanDuration(seconds: 0)

  @Flag(help: "Say what would be done, and write nothing.")
  var dryRun = false

  @OptionGroup(title: "Pace") var pace: JobPace
  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func runConcurrently(in context: CommandContext) async throws {
    // Whole seconds, rounded up: a hold is never captured before its time.
    let (seconds, rest) = olderThan.duration.components
    let job = SettlePendingJob(
      olderThanSeconds: rest > 0 ? seconds + 1 : seconds, fence: try context.commitFence())
    let execution = JobExecution(job, try settings(in: context), in: context)
    try await dryRun ? execution.rehearse() : execution.run()
  }
}

/// `ironforge job run expire-holds`.
struct JobRunExpireHolds: JobRunVerb {
  static let configuration = CommandConfiguration(
    commandName: ExpireHoldsJob.name,
    abstract: "Free the money of holds whose time has passed.",
    discussion: """
      EXAMPLES:
        ironforge job run expire-holds --quiet
        ironforge job run expire-holds --dry-run
      """)

  @Flag(help: "Say what would be done, and write nothing.")
  var dryRun = false

  @OptionGroup(title: "Pace") var pace: JobPace
  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func runConcurrently(in context: CommandContext) async throws {
    let execution = JobExecution(
      ExpireHoldsJob(fence: try context.commitFence()), try settings(in: context), in: context)
    try await dryRun ? execution.rehearse() : execution.run()
  }
}

/// `ironforge job run drain-outbox`.
struct JobRunDrainOutbox: JobRunVerb {
  static let configuration = CommandConfiguration(
    commandName: DrainOutboxJob.name,
    abstract: "Tell the cache what it could not be told while Redis was away.",
    discussion: """
      A write that cannot reach Redis goes on, and notes in the outbox which cached values it has made obsolete. The next \
      command that writes drains some of the outbox; this job drains all of it. Run it every minute.

      EXAMPLES:
        ironforge job run drain-outbox --quiet
        ironforge job run drain-outbox --dry-run
      """)

  @Flag(help: "Say what would be done, and write nothing.")
  var dryRun = false

  @OptionGroup(title: "Pace") var pace: JobPace
  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func runConcurrently(in context: CommandContext) async throws {
    let job = DrainOutboxJob(fence: try context.outboxFence())
    let execution = JobExecution(job, try settings(in: context), in: context)
    try await dryRun ? execution.rehearse() : execution.run()
  }
}
