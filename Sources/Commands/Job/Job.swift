import ArgumentParser

/// `ironforge job`.
struct JobCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "job",
    abstract: "Run batch jobs that can be stopped, throttled and resumed; watch and steer them.",
    discussion: """
      A job visits the rows of a table in the order of a key, chunk by chunk. Each chunk is one transaction, which also \
      marks the chunk as done: a job that is killed at any moment repeats nothing. To go on after that, run the same \
      command again, or `ironforge job resume RUN`.

      EXAMPLES:
        ironforge job run sql --table orders --key id --statement 'update orders set seen = true where id = any($1)'
        ironforge job status
        ironforge job pause 01939bb7-9d52-7000-8000-000000000000
        ironforge job list --json
      """,
    subcommands: [
      JobRunCommand.self, JobList.self, JobStatusCommand.self, JobPause.self, JobResume.self, JobCancel.self,
    ])
}

/// `ironforge job run`.
struct JobRunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Start a job, or go on with one that was left unfinished.",
    discussion: """
      Known jobs: sql, settle-pending, expire-holds, drain-outbox, analyze-stale, rebuild-bloated. One process at a time works on the same job with \
      the same options; a second one exits 75. The exit code is 3 when rows failed; they are listed.

      EXAMPLES:
        ironforge job run sql --table orders --key id --statement 'update orders set seen = true where id = any($1)'
        ironforge job run settle-pending --older-than 1h --max-rate 500
        ironforge job run analyze-stale --dry-run
        ironforge job run rebuild-bloated --schema public
      """,
    subcommands: [
      JobRunSQL.self, JobRunSettlePending.self, JobRunExpireHolds.self, JobRunDrainOutbox.self,
      JobRunAnalyzeStale.self, JobRunRebuildBloated.self,
    ])
}
