#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the generator itself took of the machine, by the kernel's accounts.
public struct GeneratorUse: Sendable, Hashable {
  /// Processor time of this process, in seconds.
  public private(set) var cpuSeconds = 0.0
  /// How long its threads could have run and had no processor, in seconds: the second field of `/proc/PID/schedstat`
  /// (Documentation/scheduler/sched-stats of the kernel). Nil where the kernel keeps no account of it.
  public private(set) var waitSeconds: Double?
  /// Processors of the machine.
  public private(set) var processors = 1

  /// From the start of the process to now.
  static func now() -> GeneratorUse {
    var use = GeneratorUse()
    var usage = rusage()
    if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
      use.cpuSeconds = [usage.ru_utime, usage.ru_stime].reduce(0) {
        $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6
      }
    }
    use.processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    use.waitSeconds = threadWaits()
    return use
  }

  /// What was used since `before`.
  func since(_ before: GeneratorUse) -> GeneratorUse {
    var use = self
    use.cpuSeconds = max(0, cpuSeconds - before.cpuSeconds)
    // Threads that have ended took their accounts with them.
    use.waitSeconds = waitSeconds.flatMap { now in before.waitSeconds.map { max(0, now - $0) } }
    return use
  }

  /// Of all threads together.
  private static func threadWaits() -> Double? {
    guard let directory = opendir("/proc/self/task") else { return nil }
    defer { closedir(directory) }
    var nanoseconds: Int64?
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard !name.hasPrefix("."), let text = text(of: "/proc/self/task/\(name)/schedstat") else { continue }
      let fields = text.split(whereSeparator: \.isWhitespace)
      if fields.count >= 2, let wait = Int64(fields[1]) { nanoseconds = (nanoseconds ?? 0) &+ wait }
    }
    return nanoseconds.map { Double($0) / 1e9 }
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
