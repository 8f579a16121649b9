import Glibc

/// A stack for libpg_query, which prints a parse tree by recursion without a bound of its own: `1+1+1+…` nests as deep as the
/// text is long, and a thread's usual 8 MB end after some 120 kB of it.
enum DeepStack {
  /// The longest text that is parsed.
  static let textMax = 4 << 20
  /// What the usual stack surely carries.
  private static let shallowMax = 16 << 10
  /// A level takes some 130 bytes of stack and at least two of text; pages that are not touched take no memory.
  private static let bytesPerByte = 256

  private final class Work {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
  }

  /// Runs `body` on a stack that is large enough for a text of so many bytes.
  ///
  /// - Throws: `SQLSyntaxError` where the text is too long, or there is no memory for the stack.
  static func run<Result>(forTextOf bytes: Int, _ body: () -> Result) throws(SQLSyntaxError) -> Result {
    guard bytes > shallowMax else { return body() }
    guard bytes <= textMax else {
      throw SQLSyntaxError(reason: "the text has \(bytes) bytes, more than \(textMax)")
    }
    var result: Result?
    let code = withoutActuallyEscaping(body) { body in
      runOnThread(stack: (8 << 20) + bytes * bytesPerByte) { result = body() }
    }
    guard code == 0, let result else {
      throw SQLSyntaxError(reason: "no memory to parse it: \(String(cString: strerror(code)))")
    }
    return result
  }

  /// Returns an error number of `pthread_create(3)`, or 0 when `body` has ended.
  private static func runOnThread(stack: Int, _ body: @escaping () -> Void) -> Int32 {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    var code = pthread_attr_setstacksize(&attributes, stack)
    guard code == 0 else { return code }
    var thread = pthread_t()
    let work = Unmanaged.passRetained(Work(body))
    code = pthread_create(
      &thread, &attributes,
      { pointer in
        guard let pointer else { return nil }
        Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue().body()
        return nil
      }, work.toOpaque())
    guard code == 0 else {
      work.release()
      return code
    }
    return pthread_join(thread, nil)
  }
}
