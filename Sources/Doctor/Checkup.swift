/// The checklist over what was found. Values in, values out.
public struct Checkup: Sendable {
  private let facts: CheckupFacts
  private let limits: CheckupLimits

  public init(_ facts: CheckupFacts, limits: CheckupLimits = CheckupLimits()) {
    self.facts = facts
    self.limits = limits
  }

  /// One item for each check of these areas, in the order of `Check`.
  public func items(_ areas: Set<Check.Area> = Set(Check.Area.allCases)) -> [CheckupItem] {
    Check.Area.allCases.filter(areas.contains).flatMap { area in
      switch area {
      case .database: DatabaseRules(facts: facts).items
      case .cache: CacheRules(facts: facts, limits: limits).items
      case .application: ApplicationRules(facts: facts, limits: limits).items
      case .server: ServerRules(facts: facts, limits: limits).items
      }
    }
  }
}
