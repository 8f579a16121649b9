public import Primitives

/// Another process works on the same job with the same options.
public struct JobBusy: Failure {
  public let job: String
  /// Its run; nil where it has only just begun.
  public let run: JobRun?

  public var code: String { "job_running" }
  public var message: String {
    let owner = run.map { ": run \($0.id), \($0.owner)" } ?? ""
    return "another process works on this job \(job) with the same options\(owner)"
  }
  public var hint: String? {
    run.map { "watch it with `ironforge job status \($0.id)`, or wait for it with --lock-wait" }
      ?? "try again later, or wait with --lock-wait"
  }
  public var isRetryable: Bool { true }
  public var kind: FailureKind { .busy }
}

/// Somebody paused the run on purpose, so no plain start goes on with it.
public struct JobPaused: Failure {
  public let run: JobRun

  public var code: String { "job_paused" }
  public var message: String { "run \(run.id) of this job is paused" }
  public var hint: String? {
    "go on with `ironforge job resume \(run.id)`, or end it with `ironforge job cancel \(run.id)`"
  }
  public var isRetryable: Bool { true }
  public var kind: FailureKind { .busy }
}

/// More rows failed than were allowed to; the run stopped where it was.
public struct TooManyFailures: Failure {
  public let run: Identifier
  public let limit: Int

  public var code: String { "too_many_failures" }
  public var message: String { "more than \(limit) rows failed; run \(run) stopped" }
  public var hint: String? {
    "see them with `ironforge job status \(run)`; the same command goes on where it stopped, --max-failures allows more"
  }
  public var kind: FailureKind { .unexpected }
}
