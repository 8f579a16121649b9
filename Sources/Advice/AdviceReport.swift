internal import Indexes

/// Puts what was chosen into words.
struct AdviceReport {
  private let analysis: WorkloadAnalysis
  private let pool: CandidatePool
  private let problem: ChoiceProblem
  private let chosen: Chooser.Chosen
  private let catalog: Catalog

  init(
    _ analysis: WorkloadAnalysis, _ pool: CandidatePool, _ problem: ChoiceProblem, _ chosen: Chooser.Chosen,
    _ catalog: Catalog
  ) {
    self.catalog = catalog
    self.analysis = analysis
    self.pool = pool
    self.problem = problem
    self.chosen = chosen
  }

  func advice(isPoolCut: Bool) -> Advice {
    var recipe = NewIndexRecipe(catalog)
    let indexes = chosen.indexes.members.map { index($0, &recipe) }.sorted { $0.costSaved > $1.costSaved }
    let queries = zip(analysis.queries, chosen.costs).map { query, planned in
      AdvisedQuery(
        id: query.statement.id, text: query.statement.text, calls: query.statement.calls,
        milliseconds: query.statement.milliseconds, line: query.statement.line, costBefore: query.before.cost,
        costAfter: planned.cost)
    }
    return Advice(
      indexes: indexes, queries: queries, unexplained: analysis.unexplained, plans: chosen.plans,
      isCutShort: chosen.isCutShort || isPoolCut)
  }

  private func ddl(_ candidate: Candidate, _ recipe: inout NewIndexRecipe) -> String {
    guard let table = catalog.tables[candidate.table], table.isPartitioned else {
      return candidate.ddl(analysis.schema, concurrently: true) + ";"
    }
    let columns = candidate.keys.map { key -> String in
      guard case .column(let number) = key.term else { return "expr" }
      return analysis.schema.relations[candidate.table]?.column(number)?.name ?? "expr"
    }
    let body = candidate.body(analysis.schema)
    return recipe.statements(on: table, columns: columns, body: body).lines.joined(separator: "\n")
  }

  private func index(_ item: Int, _ recipe: inout NewIndexRecipe) -> AdvisedIndex {
    let candidate = pool.candidates[item]
    var saved = 0.0
    var users: [(id: String, factor: Double)] = []
    for (number, difference) in (chosen.savings[item] ?? [:]).sorted(by: { $0.key < $1.key }) {
      let query = analysis.queries[number]
      saved += difference * Double(query.statement.calls)
      users.append((query.statement.id, query.before.cost / max(chosen.costs[number].cost, 0.01)))
    }
    let table = analysis.schema.relations[candidate.table]
    return AdvisedIndex(
      ddl: ddl(candidate, &recipe),
      table: table?.name ?? .init(schema: "", name: "", quoted: ""),
      columns: candidate.keys.map { key in
        switch key.term {
        case .column(let number): (table?.column(number)?.quoted ?? "") + (key.isDescending ? " DESC" : "")
        case .expression(let sql): sql + (key.isDescending ? " DESC" : "")
        }
      },
      included: candidate.included.compactMap { table?.column($0)?.quoted },
      predicate: candidate.predicate?.sql, sizeBytes: problem.items[item].sizeBytes, costSaved: saved,
      queries: users.map(\.id), reason: reason(candidate, users))
  }

  private func reason(_ candidate: Candidate, _ users: [(id: String, factor: Double)]) -> String {
    var parts: [String] = []
    if let best = users.max(by: { $0.factor < $1.factor }) {
      let factor =
        best.factor < 10
        ? "\((best.factor * 10).rounded() / 10)" : "\(Int64(clamping: Int(min(best.factor, 1e15).rounded())))"
      parts.append(
        "\(users.count == 1 ? "one statement uses" : "\(users.count) statements use") it; statement \(best.id) costs \(factor) times less"
      )
    }
    if !candidate.included.isEmpty { parts.append("INCLUDE lets them read it without the table") }
    if candidate.predicate != nil { parts.append("it holds only the rows that they look for") }
    return parts.joined(separator: "; ")
  }
}
