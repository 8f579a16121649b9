import Glibc
internal import Primitives
import Synchronization

/// What `/metrics` counts of requests, in the text format of Prometheus.
final class RequestMetrics: Sendable {
  private struct Key: Hashable {
    let route: String
    let status: Int
  }

  private struct Latency {
    var buckets = [UInt64](repeating: 0, count: RequestMetrics.bounds.count + 1)
    var seconds = 0.0
  }

  private struct State {
    var counts: [Key: UInt64] = [:]
    var latencies: [String: Latency] = [:]
    var tiers: [String: UInt64] = [:]
  }

  private let state = Mutex(State())
  private let inFlight = Atomic<Int>(0)

  /// Upper bounds in seconds: fine where the targets of `[targets]` lie, 0.1, 0.5 and 1.
  static let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

  /// Requests that are being answered.
  var requestsInFlight: Int { inFlight.load(ordering: .relaxed) }

  func begin() { inFlight.add(1, ordering: .relaxed) }

  /// A request that ``begin()`` counted has ended.
  func end(route: String, status: Int, seconds: Double, tier: String?) {
    inFlight.subtract(1, ordering: .relaxed)
    count(route: route, status: status, seconds: seconds, tier: tier)
  }

  /// A request that never got so far as a route.
  func count(route: String, status: Int, seconds: Double, tier: String?) {
    let bucket = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
    state.withLock { state in
      state.counts[Key(route: route, status: status), default: 0] += 1
      state.latencies[route, default: Latency()].buckets[bucket] += 1
      state.latencies[route]?.seconds += seconds
      if let tier { state.tiers[tier, default: 0] += 1 }
    }
  }

  /// The counters of requests as lines.
  func lines() -> [String] {
    let state = state.withLock { $0 }
    var lines = Self.head("ironforge_http_requests_total", "counter", "Requests that were answered.")
    for (key, count) in state.counts.sorted(by: {
      ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status)
    }) {
      lines.append("ironforge_http_requests_total{route=\"\(key.route)\",status=\"\(key.status)\"} \(count)")
    }
    lines += Self.head(
      "ironforge_http_request_seconds", "histogram", "From the end of a request until its answer is made.")
    for (route, latency) in state.latencies.sorted(by: { $0.key < $1.key }) {
      var sum: UInt64 = 0
      for (bound, count) in zip(Self.bounds.map { "\($0)" } + ["+Inf"], latency.buckets) {
        sum += count
        lines.append("ironforge_http_request_seconds_bucket{route=\"\(route)\",le=\"\(bound)\"} \(sum)")
      }
      lines.append("ironforge_http_request_seconds_sum{route=\"\(route)\"} \(latency.seconds)")
      lines.append("ironforge_http_request_seconds_count{route=\"\(route)\"} \(sum)")
    }
    lines += Self.head("ironforge_cache_answers_total", "counter", "Wallets by the tier that had them.")
    for tier in ["l1", "l2", "database"] {
      lines.append("ironforge_cache_answers_total{tier=\"\(tier)\"} \(state.tiers[tier] ?? 0)")
    }
    return lines
      + Self.gauge("ironforge_http_requests_in_flight", "Requests being answered.", requestsInFlight)
  }

  static func head(_ name: String, _ type: String, _ help: String) -> [String] {
    ["# HELP \(name) \(help)", "# TYPE \(name) \(type)"]
  }

  static func gauge(_ name: String, _ help: String, _ value: Int) -> [String] {
    head(name, "gauge", help) + ["\(name) \(value)"]
  }
}

/// What Linux tells of this process, under the names that Prometheus' own clients use.
enum ProcessMetrics {
  static func lines() -> [String] {
    var lines: [String] = []
    // proc(5): the second number is the resident set in pages.
    if let text = text(of: "/proc/self/statm"),
      let pages = Int(text.split(separator: " ").dropFirst().first ?? "")
    {
      let (bytes, isTooMuch) = pages.multipliedReportingOverflow(by: Int(getpagesize()))
      if !isTooMuch {
        lines += RequestMetrics.gauge("process_resident_memory_bytes", "Resident memory.", bytes)
      }
    }
    var usage = rusage()
    if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
      let seconds = [usage.ru_utime, usage.ru_stime].map { Double($0.tv_sec) + Double($0.tv_usec) / 1e6 }
      lines += RequestMetrics.head("process_cpu_seconds_total", "counter", "User and system time.")
      lines.append("process_cpu_seconds_total \(seconds[0] + seconds[1])")
    }
    return lines
  }

  private static func text(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = read(descriptor, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}
