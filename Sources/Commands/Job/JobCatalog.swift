import Jobs
import Maintenance
import Primitives

/// The jobs that are built in.
enum JobCatalog {
  /// Makes the job of a recorded run again.
  ///
  /// - Throws: `ConfigurationFailure`; `job_unknown` for a run of another program, or of another version of this one.
  static func job(of run: JobRun, in context: CommandContext) throws -> any Job {
    let job: (any Job)? =
      switch run.job {
      case SQLJob.name: SQLJob(options: run.options)
      case AnalyzeStaleJob.name: AnalyzeStaleJob(options: run.options)
      case RebuildBloatedJob.name: RebuildBloatedJob(options: run.options)
      case SettlePendingJob.name: SettlePendingJob(options: run.options, fence: try context.commitFence())
      case ExpireHoldsJob.name: ExpireHoldsJob(fence: try context.commitFence())
      case DrainOutboxJob.name: DrainOutboxJob(fence: try context.outboxFence())
      default: nil
      }
    guard let job else {
      throw SimpleFailure(
        .refused, code: "job_unknown",
        message: "this program does not know the job \(run.job) with such options",
        hint: "resume it with the version of ironforge that began it")
    }
    return job
  }
}
