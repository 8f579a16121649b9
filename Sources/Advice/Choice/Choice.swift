/// What a choice of indexes is made from: values, so that it can be tested without a server.
public struct ChoiceProblem: Sendable {
  /// A statement of the workload.
  public struct Query: Sendable {
    /// How much it counts.
    public var weight: Double
    /// What it costs without new indexes; above 0.
    public var before: PlannedCost
    /// Which indexes can make a difference to it.
    public var relevant: IndexSet
    /// What each new index that it has to maintain adds to its cost.
    public var upkeep: [Int: Double] = [:]

    public init(weight: Double, before: PlannedCost, relevant: IndexSet) {
      self.weight = weight
      self.before = before
      self.relevant = relevant
    }
  }

  /// An index that can be chosen.
  public struct Item: Sendable {
    public var sizeBytes: Int64
    /// What its upkeep adds to the loss, whatever the statements of the workload are.
    public var upkeep: Double
    /// Statements that are known to gain by it.
    public var pickedBy: Set<Int>

    public init(sizeBytes: Int64, upkeep: Double = 0, pickedBy: Set<Int> = []) {
      self.sizeBytes = sizeBytes
      self.upkeep = upkeep
      self.pickedBy = pickedBy
    }
  }

  public var queries: [Query]
  public var items: [Item]
  /// Sets that are of use together only, such as two indexes of one BitmapOr.
  public var bundles: [IndexSet]
  /// For an index one that is to be preferred when it brings about as much: for a partial one the whole one, for one
  /// that finds the rows the one that also has them in order.
  public var preferred: [Int: Int] = [:]
  /// An index of this size is small whatever it is compared with.
  static let smallBytes: Int64 = 16 << 20
  public var limits: ChoiceLimits
  public var objective: Objective

  public init(
    queries: [Query], items: [Item], bundles: [IndexSet] = [], limits: ChoiceLimits = ChoiceLimits(),
    objective: Objective = .ratio
  ) {
    self.queries = queries
    self.items = items
    self.bundles = bundles
    self.limits = limits
    self.objective = objective
  }

  func sizeBytes(_ set: IndexSet) -> Int64 {
    set.members.reduce(0) { sum, item in
      let (total, overflow) = sum.addingReportingOverflow(items[item].sizeBytes)
      return overflow ? .max : total
    }
  }

  func fits(_ set: IndexSet) -> Bool { set.count <= limits.indexes && sizeBytes(set) <= limits.bytes }
}

/// What is to become small.
public enum Objective: Sendable {
  /// The weighted mean of the logarithms of cost after by cost before, which is the geometric mean of the ratios: for
  /// statements of which nobody knows how long they run, since the costs' sum is that of the dearest one.
  case ratio
  /// The time that the workload takes, if time follows cost: for statements whose times are known.
  case time

  func loss(_ ratio: Double) -> Double {
    switch self {
    case .ratio: logarithm(max(ratio, 1e-9))
    case .time: ratio
    }
  }
}

/// The budget of a choice.
public struct ChoiceLimits: Sendable {
  public var bytes: Int64
  public var indexes: Int
  /// The share of the loss below which an index is not worth having.
  public var gainMin: Double
  /// The share of some statement's cost that an index must save.
  public var queryGainMin: Double
  /// What it must save at the least, in the planner's units, of which one is the reading of a page.
  public var costGainMin = 10.0

  public init(bytes: Int64 = .max, indexes: Int = 10, gainMin: Double = 0.003, queryGainMin: Double = 0.1) {
    self.bytes = bytes
    self.indexes = indexes
    self.gainMin = gainMin
    self.queryGainMin = queryGainMin
  }

  /// The same for sizes that are estimates: of the room a twentieth is kept for what they are wrong by.
  public var forEstimates: ChoiceLimits {
    var limits = self
    if bytes < .max { limits.bytes -= bytes / 20 }
    return limits
  }
}

/// Numbers of indexes below 128, as bits.
public struct IndexSet: Hashable, Sendable {
  public static let capacity = 128
  private var bits: UInt128 = 0

  public init(_ members: some Sequence<Int> = []) {
    for member in members { insert(member) }
  }

  public mutating func insert(_ member: Int) {
    if (0..<Self.capacity).contains(member) { bits |= 1 << UInt128(member) }
  }

  public func contains(_ member: Int) -> Bool {
    (0..<Self.capacity).contains(member) && bits & (1 << UInt128(member)) != 0
  }
  public func union(_ other: IndexSet) -> IndexSet { IndexSet(bits: bits | other.bits) }
  public func intersection(_ other: IndexSet) -> IndexSet { IndexSet(bits: bits & other.bits) }
  public func subtracting(_ other: IndexSet) -> IndexSet { IndexSet(bits: bits & ~other.bits) }
  public func isSubset(of other: IndexSet) -> Bool { bits & ~other.bits == 0 }
  public var isEmpty: Bool { bits == 0 }
  public var count: Int { bits.nonzeroBitCount }
  public var members: [Int] { (0..<Self.capacity).filter(contains) }

  private init(bits: UInt128) { self.bits = bits }
}

/// What a statement costs with some of the indexes, and which of them its plan uses.
public struct PlannedCost: Sendable {
  /// The planner's.
  public var cost: Double
  /// What the planner left out (`RepeatedScans`).
  public var surcharge: Double
  public var used: IndexSet

  public init(cost: Double, surcharge: Double = 0, used: IndexSet = IndexSet()) {
    self.cost = cost
    self.surcharge = surcharge
    self.used = used
  }

  /// What a choice goes by.
  public var weighed: Double { cost + surcharge }
}

/// Whoever can say what a statement would cost.
public protocol CostSource: AnyObject {
  /// - Parameter indexes: those that there are, of `ChoiceProblem.items`.
  func cost(query: Int, indexes: IndexSet) throws -> PlannedCost
  /// Whether there is time left to look for something better.
  var mayGoOn: Bool { get }
  /// Whether there is no time left even to look again at what was found.
  var mustEnd: Bool { get }
}
