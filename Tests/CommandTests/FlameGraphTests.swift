import TestSupport
import Testing

/// scripts/flamegraph.py, which `make flamegraph` draws with.
@Suite struct FlameGraphTests {
  /// As `perf script` prints samples: the innermost function first.
  private static let samples = """
    ironforge 100 1.000000:    1001001 cpu-clock:ppp: 
    \t    55d0 Ledger.Page<A & B>.read() -> () throws (x)+0x1f (/work/.build/release/ironforge)
    \t    55c0 main+0x10 (/work/.build/release/ironforge)
    \t    7f00 [unknown] (/usr/lib/x86_64-linux-gnu/libc.so.6)

    ironforge 100 1.001001:    1001001 cpu-clock:ppp: 
    \tffffffff do_syscall_64+0x71 ([kernel.kallsyms])
    \t    7f10 swift_retain+0x4 (/usr/lib/swift/linux/libswiftCore.so)
    \t    55c0 main+0x18 (/work/.build/release/ironforge)
    \t    7f00 [unknown] (/usr/lib/x86_64-linux-gnu/libc.so.6)

    ironforge 100 1.002002:    1001001 cpu-clock:ppp: 
    \tffffffff do_syscall_64+0x71 ([kernel.kallsyms])
    \t    7f10 swift_retain+0x4 (/usr/lib/swift/linux/libswiftCore.so)
    \t    55c0 main+0x18 (/work/.build/release/ironforge)
    \t    7f00 [unknown] (/usr/lib/x86_64-linux-gnu/libc.so.6)
    """

  private func draw(_ arguments: [String], _ samples: String = samples) async throws -> ProgramResult {
    try await Program(
      "/usr/bin/env", ["python3", Repository.path("scripts/flamegraph.py")] + arguments, stdin: samples
    ).run()
  }

  @Test func stacksAreCountedFromTheOutside() async throws {
    let result = try await draw(["--folded"])
    #expect(
      result.stdout == """
        ironforge;[libc.so.6];main;Ledger.Page<A & B>.read() -> () throws (x) 1
        ironforge;[libc.so.6];main;swift_retain;do_syscall_64 2

        """, "\(result.stderr)")
  }

  @Test func theGraphStandsOnItsOwn() async throws {
    let svg = try await draw(["--title", "a <batch>"]).stdout
    let parse = "import sys, xml.dom.minidom; xml.dom.minidom.parseString(sys.stdin.read())"
    let parsed = try await Program("/usr/bin/env", ["python3", "-c", parse], stdin: svg).run()
    #expect(parsed.exitCode == 0, "\(parsed.stderr)")
    #expect(svg.hasPrefix("<svg ") && svg.contains("a &lt;batch&gt;") && !svg.contains("<batch>"))
    #expect(svg.contains("Ledger.Page&lt;A &amp; B&gt;.read()"))
    // Two of three samples, behind the third's box in the alphabet; its own colour for each kind of function.
    let box =
      #"data-start="1" data-samples="2" x="33.33333%" width="66.66667%" y="72" height="18"><title>swift_retain"#
    #expect(svg.contains(box), "\(svg)")
    for kind in ["own", "swift", "library", "kernel"] { #expect(svg.contains("<rect class=\"\(kind)\"")) }
    // The name of SVG itself, and nothing that would be fetched.
    #expect(svg.ranges(of: "http").count == 1)
  }

  @Test func withoutSamplesThereIsNoGraph() async throws {
    let result = try await draw([], "")
    #expect(result.exitCode == 1 && result.stdout.isEmpty && result.stderr.contains("no samples"))
  }
}
