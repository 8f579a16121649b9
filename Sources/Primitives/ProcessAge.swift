#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How long this process has been running, as the kernel knows it: from before its program was loaded. Rounded down,
/// by one tick of the kernel's clock at most (10 ms), so that a process never seems to have begun before one that it
/// followed.
public func processAge() -> Duration {
  let ticksPerSecond = Int64(sysconf(Int32(_SC_CLK_TCK)))
  guard ticksPerSecond > 0, let start = startTicks() else { return .zero }
  var now = timespec()
  clock_gettime(CLOCK_BOOTTIME, &now)
  let nanoseconds = Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
  let tick = 1_000_000_000 / ticksPerSecond
  let (started, overflow) = start.addingReportingOverflow(1).0.multipliedReportingOverflow(by: tick)
  return overflow ? .zero : .nanoseconds(max(0, nanoseconds - started))
}

/// Ticks from the start of the system to that of this process: field 22 of proc_pid_stat(5).
private func startTicks() -> Int64? {
  let descriptor = open("/proc/self/stat", O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  let text = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
    let count = read(descriptor, buffer.baseAddress, buffer.count)
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
  }
  // The second field is the program's name in parentheses, and may hold anything.
  guard let end = text.lastIndex(of: ")") else { return nil }
  let fields = text[text.index(after: end)...].split(separator: " ")
  return fields.count > 19 ? Int64(fields[19]) : nil
}
