#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#endif
internal import Indexes
internal import Primitives

/// The undo file of a run, on disk.
public struct UndoStore: Sendable {
  public let path: String
  /// A hundred thousand indexes with long definitions.
  private static let sizeMax = 256 << 20

  public init(_ path: String) { self.path = path }

  /// The file, or nil where there is none.
  ///
  /// - Throws: `input_unreadable`, `undo_malformed`; `undo_of_another_database` where it is not of this one.
  public func read(for facts: ServerFacts) throws -> UndoFile? {
    guard InputFile.exists(path) else { return nil }
    let file = try read()
    guard file.system == facts.system, file.database == facts.database else {
      throw SimpleFailure(
        .usage, code: "undo_of_another_database",
        message: "\(path) is the undo file of database \(file.database) of another server or name",
        hint: "name another file with --undo")
    }
    return file
  }

  /// Names of the undo files of a directory, in their order.
  ///
  /// - Throws: `input_unreadable`.
  public static func names(in directory: String, beginning stem: String) throws -> [String] {
    guard let stream = opendir(directory) else {
      throw SimpleFailure(
        .malformedInput, code: "input_unreadable",
        message: "the directory \(directory) cannot be read: \(String(cString: strerror(errno)))")
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { raw in
        String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
      }
      // A day as long as one is: the files of database a are not those of a-b.
      if name.hasPrefix(stem), name.hasSuffix(".sql"), name.utf8.count == stem.utf8.count + 14 {
        names.append(name)
      }
    }
    return names.sorted()
  }

  /// - Throws: `input_unreadable`, `undo_malformed`.
  public func read() throws -> UndoFile {
    let input = try InputFile(path)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = try buffer.withUnsafeMutableBytes { space throws(SimpleFailure) in
        try input.read(into: space)
      }
      if count == 0 { break }
      bytes += buffer[..<count]
      guard bytes.count <= Self.sizeMax else {
        throw InputError(file: input.name, line: 1, "too large for an undo file", code: "undo_malformed")
      }
    }
    return try UndoFile(parsing: bytes, name: input.name)
  }

  /// Writes the entries to those that the file has, and returns when they are on disk.
  ///
  /// - Throws: as `read(for:)`; `undo_name_taken`; `output_failed`.
  public func add(_ entries: [UndoFile.Entry], _ facts: ServerFacts) throws {
    if entries.isEmpty { return }
    let known = try read(for: facts)
    var file = known ?? UndoFile(system: facts.system, database: facts.database)
    if let taken = file.add(entries) {
      throw SimpleFailure(
        .usage, code: "undo_name_taken",
        message: "\(path) has an index \(taken) with another definition, which would be lost",
        hint: "name another file with --undo")
    }
    if let known, file.bytes == known.bytes { return }
    let output = try DurableFile(path)
    guard output.canBeDiscarded else {
      throw SimpleFailure(
        .usage, code: "undo_not_a_file", message: "\(path) is no regular file",
        hint: "what is dropped can be restored only from a file that lasts")
    }
    try output.write { $0 += file.bytes }
    try output.commit()
  }
}
