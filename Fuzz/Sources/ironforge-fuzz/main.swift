import Glibc

// ironforge-fuzz TARGET [libFuzzer's options] [CORPUS…]; without arguments the names of the targets.
//
// libFuzzer is called as a library: one program serves all targets, so the instrumented modules are linked once.

typealias FuzzCallback = @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32

@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ callback: FuzzCallback
) -> Int32

/// What the callback, which can capture nothing, calls. Written once, before the fuzzer starts.
nonisolated(unsafe) var chosen: FuzzTarget = { _ in }

let names = fuzzTargets.keys.sorted()
guard CommandLine.arguments.count > 1 else {
  print(names.joined(separator: "\n"))
  exit(0)
}
guard let target = fuzzTargets[CommandLine.arguments[1]] else {
  let message = "no target \(CommandLine.arguments[1]); there are: \(names.joined(separator: ", "))\n"
  _ = Array(message.utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  exit(64)
}
chosen = target

// The program's name stays, the target's goes.
var count = CommandLine.argc - 1
var arguments = CommandLine.unsafeArgv + 1
arguments[0] = CommandLine.unsafeArgv[0]
exit(
  runFuzzer(&count, &arguments) { bytes, count in
    chosen(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
  })
