/// Rows as an aligned table, for a document that holds one.
func table<Row: TableRow>(_ rows: [Row]) -> String {
  table(Row.tableHeader, rows.map(\.tableRow))
}
