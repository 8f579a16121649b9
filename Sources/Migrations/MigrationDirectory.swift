internal import Primitives

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The directory that holds the migrations of a project.
public struct MigrationDirectory: Sendable {
  /// No migration that a person writes is larger.
  private static let fileSizeMax = 16 * 1024 * 1024

  public let path: String

  public init(path: String) {
    self.path = path
  }

  /// Reads all migrations, ordered by number. Files that do not end in `.sql` are left alone, and so are hidden
  /// ones.
  ///
  /// - Throws: `MigrationError` for a file with another name or text than a migration has, and where two have
  ///   the same number.
  public func files() throws(MigrationError) -> [MigrationFile] {
    var files: [MigrationFile] = []
    for name in try fileNames() {
      files.append(try MigrationFile(fileName: name, content: try content(of: name)))
    }
    files.sort { ($0.version, $0.fileName) < ($1.version, $1.fileName) }
    for (a, b) in zip(files, files.dropFirst()) where a.version == b.version {
      throw .duplicateVersion(first: a.fileName, second: b.fileName)
    }
    return files
  }

  /// Writes a template for the next migration.
  ///
  /// - Parameter name: words; blanks and hyphens become underscores, and letters become small.
  /// - Returns: the new file's name in the directory.
  /// - Throws: `MigrationError`; an existing file is never written over.
  public func new(_ name: String) throws(MigrationError) -> String {
    let small = name.lowercased().map { $0 == " " || $0 == "-" ? "_" : $0 }
    let clean = String(small)
    guard !clean.isEmpty, clean.utf8.count <= 80, clean.utf8.allSatisfy(MigrationFile.isNameByte) else {
      throw .unusableName(name)
    }
    let last = try fileNames().compactMap { MigrationFile.parse(fileName: $0)?.version }.max() ?? 0
    guard last < 999_999_999_999_999_999 else { throw .unusableName(name) }
    let digits = String(last + 1)
    let fileName = String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + "\(digits)_\(clean).sql"
    try create(
      """
      -- \(clean): say here what this is for

      -- migrate: up


      -- migrate: down

      """, named: fileName)
    return fileName
  }

  private func fileNames() throws(MigrationError) -> [String] {
    guard let stream = opendir(path) else { throw unreadable(path) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { raw in
        String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.hasSuffix(".sql"), !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }

  /// The bytes of one file, which is no larger than 16 MiB.
  ///
  /// - Throws: `MigrationError.unreadable`.
  public func content(of name: String) throws(MigrationError) -> [UInt8] {
    let descriptor = open("\(path)/\(name)", O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw unreadable("\(path)/\(name)") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw unreadable("\(path)/\(name)") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .unreadable(path: "\(path)/\(name)", reason: "it is not a regular file")
    }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw unreadable("\(path)/\(name)") }
      if count == 0 { return content }
      content.append(contentsOf: buffer.prefix(count))
      if content.count > Self.fileSizeMax {
        throw .unreadable(path: "\(path)/\(name)", reason: "it is larger than 16 MiB")
      }
    }
  }

  private func create(_ text: String, named name: String) throws(MigrationError) {
    let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw unreadable("\(path)/\(name)") }
    defer { close(descriptor) }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw unreadable("\(path)/\(name)") }
      rest = rest.dropFirst(count)
    }
  }

  private func unreadable(_ path: String) -> MigrationError {
    .unreadable(path: path, reason: String(cString: strerror(errno)))
  }
}
