internal import Indexes
internal import Jobs
internal import Postgres

/// Tables or indexes that were chosen one by one, as a job visits them: by name, since a rebuild changes the OID.
enum NameList {
  static func keys(_ names: [RelationName], as column: String, _ session: Session) throws -> KeySource {
    let rows = try names.map { name in
      "(\(try session.quoted(literal: name.schema)), \(try session.quoted(literal: name.name)))"
    }
    let list =
      rows.isEmpty
      ? "(select ''::text as schema_name, ''::text as \(column) where false)"
      : "(select * from (values \(rows.joined(separator: ", "))) as v (schema_name, \(column)))"
    let columns = ["schema_name", column].map {
      KeySource.Column(name: $0, quoted: $0, type: "text", arrayType: .textArray)
    }
    return KeySource(relation: list, columns: columns)
  }
}
