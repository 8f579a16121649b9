public import Postgres

/// Every statement that the service sends beyond those of the ledger and its cache.
public enum ServeStatements {
  /// Whether the server answers: the shortest statement there is.
  static let probe = Statement("select 1", columns: [.int4])

  /// For the test that has a server prepare each.
  public static let all = [probe]
}
