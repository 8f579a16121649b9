import Glibc
import TestSupport
import Testing

@testable import Primitives

@Suite struct DurableFileTests {
  private func text(_ path: String) throws -> String {
    let file = try InputFile(path)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0) }
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer[..<count]
    }
  }

  private func names(_ directory: TemporaryDirectory) throws -> [String] {
    let stream = try #require(opendir(directory.path))
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  private func failure(_ body: () throws -> Void) -> SimpleFailure? {
    do {
      try body()
      return nil
    } catch {
      return error as? SimpleFailure
    }
  }

  @Test func aFileAppearsWholeAndOnlyWhenItIsDone() throws {
    let directory = try TemporaryDirectory("durable")
    let path = directory.file("out.csv")
    let file = try DurableFile(path)
    let line = "0123456789abcdef\r\n"
    for _ in 0..<20_000 { try file.write { $0 += line.utf8 } }
    #expect(try names(directory) == [], "kill -9 here leaves nothing behind")
    try file.commit()
    #expect(try names(directory) == ["out.csv"])
    #expect(try text(path) == String(repeating: line, count: 20_000))
  }

  @Test func aFileThatIsThereIsReplacedAtTheEndAndKeepsItsMode() throws {
    let directory = try TemporaryDirectory("durable")
    let path = try directory.write("old", to: "out.csv")
    #expect(chmod(path, 0o640) == 0)
    let file = try DurableFile(path)
    try file.write { $0 += "new".utf8 }
    #expect(try text(path) == "old")
    try file.commit()
    try file.commit()
    #expect(try text(path) == "new" && names(directory) == ["out.csv"])
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o640)
  }

  @Test func withoutUnnamedFilesATemporaryNameIsUsedAndTakenAway() throws {
    let directory = try TemporaryDirectory("durable")
    let path = try directory.write("old", to: "out.csv")
    let given = try DurableFile(path, takesUnnamed: false)
    let hidden = try names(directory)
    #expect(hidden.count == 2 && hidden.contains { $0.hasPrefix(".ironforge-") && $0.hasSuffix(".tmp") })
    given.discard()
    #expect(try names(directory) == ["out.csv"])
    let file = try DurableFile(path, takesUnnamed: false)
    try file.write { $0 += "new".utf8 }
    try file.commit()
    #expect(try text(path) == "new" && names(directory) == ["out.csv"])
  }

  @Test func whatIsGivenUpLeavesThePathAsItWas() throws {
    let directory = try TemporaryDirectory("durable")
    let path = try directory.write("old", to: "out.csv")
    do {
      let file = try DurableFile(path)
      try file.write { $0 += [UInt8](repeating: 0x61, count: 200_000) }
    }
    let file = try DurableFile(directory.file("other"))
    file.discard()
    #expect(try text(path) == "old" && names(directory) == ["out.csv"])
  }

  @Test func symbolicLinksAreFollowed() throws {
    let directory = try TemporaryDirectory("durable")
    let path = try directory.write("old", to: "real.csv")
    #expect(symlink("real.csv", directory.file("link")) == 0)
    #expect(symlink("new.csv", directory.file("dangling")) == 0)
    for link in ["link", "dangling"] {
      let file = try DurableFile(directory.file(link))
      try file.write { $0 += link.utf8 }
      try file.commit()
    }
    #expect(try text(path) == "link" && text(directory.file("new.csv")) == "dangling")
    var status = stat()
    #expect(lstat(directory.file("link"), &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    #expect(symlink("loop", directory.file("loop")) == 0)
    #expect(failure { _ = try DurableFile(directory.file("loop")) }?.code == "output_failed")
  }

  /// A device must never be replaced by a file, least of all by root.
  @Test func devicesAndPipesAreWrittenTo() throws {
    let null = try DurableFile("/dev/null")
    try null.write { $0 += [UInt8](repeating: 0, count: 200_000) }
    try null.commit()
    var status = stat()
    #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    let file = try DurableFile("/proc/self/fd/\(ends[1])")
    try file.write { $0 += "through".utf8 }
    try file.commit()
    close(ends[1])
    #expect(try text("/proc/self/fd/\(ends[0])") == "through")
    close(ends[0])
  }

  @Test func aFullDiskIsNamedWithItsFile() throws {
    let full = try DurableFile("/dev/full")
    try full.write { $0 += "a".utf8 }
    for _ in 0..<2 {
      let failure = failure { try full.commit() }
      #expect(failure?.code == "output_failed" && failure?.kind == .unexpected)
      #expect(failure?.message == "cannot write /dev/full: No space left on device")
      #expect(failure?.hint?.contains("free space") == true)
    }
  }

  @Test(.enabled("mounting a tmpfs takes root") { geteuid() == 0 })
  func onAFullFileSystemNothingIsLeftBehind() async throws {
    let directory = try TemporaryDirectory("durable")
    let mount = try await Program(
      "/bin/mount", ["-t", "tmpfs", "-o", "size=256k,mode=777", "tmpfs", directory.path]
    ).run()
    try #require(mount.exitCode == 0, "\(mount.stderr)")
    let path = try directory.write("old", to: "out.csv")
    let failed = failure {
      let file = try DurableFile(path)
      for _ in 0..<10 { try file.write { $0 += [UInt8](repeating: 0x61, count: 100_000) } }
      try file.commit()
    }
    let (old, left) = (try text(path), try names(directory))
    let unmounted = try await Program("/bin/umount", ["-l", directory.path]).run()
    #expect(failed?.message == "cannot write \(path): No space left on device")
    #expect(old == "old" && left == ["out.csv"] && unmounted.exitCode == 0)
  }

  @Test(arguments: ["no/such/directory/f", "", "directory/", ".", ".."])
  func whatCannotBeWrittenIsRefusedAtOnce(name: String) throws {
    let directory = try TemporaryDirectory("durable")
    #expect(mkdir(directory.file("directory"), 0o755) == 0)
    #expect(failure { _ = try DurableFile(directory.file(name)) }?.code == "output_failed")
    #expect(failure { _ = try DurableFile(directory.path) }?.code == "output_failed")
  }
}
