/// A command that cron may start. It says so, has `@OptionGroup(title: "For cron") var cron: CronOptions`, and puts what
/// it has dealt with into `context.itemCount`; `CronRun` does the rest around its `run(in:)`.
protocol CronCommand: IronforgeCommand {
  var cron: CronOptions { get }
  /// What runs, as its metrics call it: the command's words without its options.
  var runName: String { get }
  /// What only one run at a time may do in a database; nil where several may.
  var lockName: String? { get }
}

extension CronCommand {
  var lockName: String? { runName }
}
