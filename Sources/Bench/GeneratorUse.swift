#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the generator itself took of the machine, by the kernel's accounts.
public struct GeneratorUse: Sendable, Hashable {
  /// Processor time of this process, in seconds.
  public internal(set) var cpuSeconds = 0.0
  /// How long its threads could have run and had no processor, in seconds: the second field of `/proc/PID/schedstat`
  /// (Documentation/scheduler/sched-stats of the kernel). Nil where the kernel keeps no account of it.
  public fileprivate(set) var waitSeconds: Double?
  /// Processors of the machine.
  public let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
  /// Threads that send for many connections each; nil where each connection has its own.
  public var loops: Int?
}

/// Reads the kernel's accounts of this process again and again, because those of a thread end with it.
struct GeneratorAccounts: Sendable {
  private var cpuBefore = 0.0
  private var cpuNow = 0.0
  /// Nanoseconds without a processor, by thread.
  private var waitsBefore: [String: Int64] = [:]
  private var waitsNow: [String: Int64] = [:]

  /// From now on.
  mutating func begin() {
    cpuBefore = Self.cpuSeconds()
    cpuNow = cpuBefore
    waitsBefore = Self.threadWaits()
    waitsNow = waitsBefore
  }

  /// Reads them again.
  mutating func look() {
    cpuNow = Self.cpuSeconds()
    waitsNow.merge(Self.threadWaits()) { $1 }
  }

  /// Between `begin` and the last look.
  var use: GeneratorUse {
    var use = GeneratorUse()
    use.cpuSeconds = max(0, cpuNow - cpuBefore)
    if !waitsNow.isEmpty {
      use.waitSeconds = waitsNow.reduce(0) { sum, wait in
        sum + Double(max(0, wait.value - (waitsBefore[wait.key] ?? 0))) / 1e9
      }
    }
    return use
  }

  private static func cpuSeconds() -> Double {
    var usage = rusage()
    guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
    return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
  }

  private static func threadWaits() -> [String: Int64] {
    guard let directory = opendir("/proc/self/task") else { return [:] }
    defer { closedir(directory) }
    var waits: [String: Int64] = [:]
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard !name.hasPrefix("."), let text = text(of: "/proc/self/task/\(name)/schedstat") else { continue }
      let fields = text.split(whereSeparator: \.isWhitespace)
      if fields.count >= 2, let wait = Int64(fields[1]) { waits[name] = wait }
    }
    return waits
  }

  private static func text(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }
  }
}
