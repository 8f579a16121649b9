import Primitives
import TestSupport
import Testing

@testable import Commands

@Suite struct RunMetricsTests {
  private func run(_ exitCode: Int32, at microseconds: Int64 = 1_763_869_200_000_123) -> RunMetrics {
    RunMetrics(
      command: "ledger verify", file: "v.prom", end: Timestamp(microseconds: microseconds),
      nanoseconds: 1_500_000_999,
      exitCode: exitCode, items: 42)
  }

  @Test func aSuccessReadsAsPrometheusWantsIt() {
    #expect(
      run(0).text(previous: "anything") == """
        # HELP ironforge_last_success_timestamp_seconds When the command last ended with exit code 0, Unix time; 0 for never.
        # TYPE ironforge_last_success_timestamp_seconds gauge
        ironforge_last_success_timestamp_seconds{command="ledger verify",file="v.prom"} 1763869200.000123
        # HELP ironforge_last_run_timestamp_seconds When the command last ended, Unix time.
        # TYPE ironforge_last_run_timestamp_seconds gauge
        ironforge_last_run_timestamp_seconds{command="ledger verify",file="v.prom"} 1763869200.000123
        # HELP ironforge_last_run_duration_seconds How long the last run worked, without waiting for its turn.
        # TYPE ironforge_last_run_duration_seconds gauge
        ironforge_last_run_duration_seconds{command="ledger verify",file="v.prom"} 1.500000
        # HELP ironforge_last_run_exit_code The exit code of the last run.
        # TYPE ironforge_last_run_exit_code gauge
        ironforge_last_run_exit_code{command="ledger verify",file="v.prom"} 0
        # HELP ironforge_last_run_items How many things the last run dealt with: rows, transfers, checks.
        # TYPE ironforge_last_run_items gauge
        ironforge_last_run_items{command="ledger verify",file="v.prom"} 42

        """)
  }

  @Test func aFailureKeepsTheLastSuccessThroughAnyNumberOfFailures() {
    var text = run(0).text(previous: "")
    for exitCode: Int32 in [1, 75, 10] {
      text = run(exitCode, at: 2_000_000_000_000_000).text(previous: text)
    }
    #expect(
      text.contains(
        "\nironforge_last_success_timestamp_seconds{command=\"ledger verify\",file=\"v.prom\"} 1763869200.000123\n"
      ))
    #expect(
      text.contains(
        "\nironforge_last_run_timestamp_seconds{command=\"ledger verify\",file=\"v.prom\"} 2000000000.000000\n"
      ))
    #expect(text.contains("\nironforge_last_run_exit_code{command=\"ledger verify\",file=\"v.prom\"} 10\n"))
  }

  /// Nothing, another command's metrics, and what somebody's editor left behind.
  @Test(arguments: [
    "", "ironforge_last_success_timestamp_seconds{command=\"other\"} 5\n",
    "ironforge_last_success_timestamp_seconds{command=\"ledger verify\",file=\"v.prom\"} soon\n",
    "ironforge_last_success_timestamp_seconds{command=\"ledger verify\",file=\"v.prom\"} NaN\n",
    "ironforge_last_success_timestamp_seconds{command=\"ledger verify\",file=\"v.prom\"} 5 6\n",
    "ironforge_last_success_timestamp_seconds{command=\"ledger verify\",file=\"v.prom\"}",
    "\u{0}\n\r\n\u{FFFD}",
  ])
  func withoutAnEarlierSuccessThereIsNone(previous: String) {
    let text = run(1).text(previous: previous)
    #expect(
      text.contains(
        "\nironforge_last_success_timestamp_seconds{command=\"ledger verify\",file=\"v.prom\"} 0\n"))
  }

  @Test func labelsAreEscaped() {
    let metrics = RunMetrics(
      command: "a\"b\\c\nd", file: "\"", end: Timestamp(microseconds: 1), nanoseconds: 0, exitCode: 0,
      items: 0)
    let text = metrics.text(previous: "")
    #expect(text.contains(#"_exit_code{command="a\"b\\c\nd",file="\""} 0"#))
    #expect(
      text.contains(
        "ironforge_last_success_timestamp_seconds{command=\"a\\\"b\\\\c\\nd\",file=\"\\\"\"} 0.000001\n"))
  }
}
