extension Catalog {
  /// Of indexes that are not there yet, those that one that is there does all the work of, by their OIDs, which must be none of the
  /// catalog's.
  public func served(_ candidates: [Index]) -> [UInt32: Index] {
    let coverage = Coverage(self, and: candidates)
    var found: [UInt32: Index] = [:]
    for candidate in candidates {
      found[candidate.oid] = indexes(of: candidate.table).first { index in
        index.isWhole && coverage.relation(of: candidate, to: index) == .covered
      }
    }
    return found
  }
}
