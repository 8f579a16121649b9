extension Catalog {
  /// Why the index must stay, however it looks; of a partitioned one, for itself or any that is attached to it.
  func protections(of index: Index) -> [Reason] {
    var reasons: [Reason] = []
    func add(_ reason: Reason) {
      if !reasons.contains(where: { $0.code == reason.code }) { reasons.append(reason) }
    }
    if let parent = index.parent {
      let root = root(of: index).name.quoted
      let name = indexes[parent]?.name.quoted ?? "a partitioned index"
      add(Reason("partition_child", "it is attached to \(name) and can only go together with \(root)"))
    }
    if index.name.schema == "ironforge" {
      add(Reason("own", "it is IronForge's own, which knows what it is for"))
    }
    for member in tree(of: index) {
      if let constraint = member.constraint { add(constraint.protection) }
      if member.isUnique, member.constraint == nil {
        add(Reason("enforces_uniqueness", "it keeps its values unique"))
      }
      if member.isReferenced {
        add(Reason("backs_foreign_key", "a foreign key refers to the columns that it keeps unique"))
      }
      if member.isReplicaIdentity {
        add(Reason("replica_identity", "logical replication identifies rows by it (REPLICA IDENTITY)"))
      }
      if member.isClustered {
        add(Reason("clustered", "the table is clustered on it; CLUSTER would not know the order any more"))
      }
    }
    return reasons
  }
}

extension IndexConstraint {
  var protection: Reason {
    switch kind {
    case .primaryKey: Reason("primary_key", "it is the primary key")
    case .unique:
      Reason(
        "unique_constraint",
        isDeferrable
          ? "it enforces the deferrable unique constraint \(name)"
          : "it enforces the unique constraint \(name)"
      )
    case .exclusion: Reason("exclusion_constraint", "it enforces the exclusion constraint \(name)")
    }
  }
}
