/// Where the results of InitPlans are named in expressions: `$0` up to PostgreSQL 16, `(InitPlan 1).col1` since. Each text is read
/// once, however many InitPlans a plan has.
struct ResultNames {
  /// Nodes in the order of the plan, by what they name.
  private var places: [String: [Int]] = [:]

  /// - Parameter expressions: of each node, in the order of the plan.
  init(_ expressions: some Sequence<[String]>) {
    for (index, texts) in expressions.enumerated() {
      for text in texts {
        for name in Self.names(in: text) where places[name]?.last != index {
          places[name, default: []].append(index)
        }
      }
    }
  }

  /// The nodes that name any of `names`, without order.
  func nodes(naming names: [String]) -> some Sequence<Int> { names.lazy.flatMap { places[$0] ?? [] } }

  /// What an InitPlan's result is called, by what the plan calls the InitPlan: `InitPlan 1 (returns $0,$1)`.
  static func names(ofInitPlan name: String) -> [String] {
    var names: [String] = []
    if let returns = name.split(separator: "(returns ").dropFirst().first {
      names = returns.dropLast().split(separator: ",").map(String.init)
    }
    let plan = name.prefix { $0 != "(" }.split(separator: " ").joined(separator: " ")
    return names + ["(\(plan))"]
  }

  /// Every `$1` and `(InitPlan 1)` in a text.
  static func names(in text: String) -> [String] {
    let bytes = Array(text.utf8)
    let opening = Array("(InitPlan ".utf8)
    func digits(from start: Int) -> Int { bytes[start...].prefix { (0x30...0x39).contains($0) }.endIndex }
    var names: [String] = []
    var index = 0
    while index < bytes.count {
      var end = index + 1
      switch bytes[index] {
      case UInt8(ascii: "$"):
        end = digits(from: index + 1)
        if end > index + 1 { names.append(String(decoding: bytes[index..<end], as: UTF8.self)) }
      case UInt8(ascii: "(") where bytes[index...].starts(with: opening):
        let start = index + opening.count
        end = digits(from: start)
        if end > start, end < bytes.count, bytes[end] == UInt8(ascii: ")") {
          names.append(String(decoding: bytes[index...end], as: UTF8.self))
        }
      default: break
      }
      index = end
    }
    return names
  }
}
