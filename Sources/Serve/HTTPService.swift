internal import Cache
internal import Commands
internal import ConnectionPool
internal import NIOHTTP1
internal import Postgres
internal import Primitives

/// Answers requests: what is asked for, whether it may be, how the answer is packed, what the log and the counters get.
struct HTTPService: Sendable {
  let source: WalletSource
  let readiness: Readiness
  let metrics: RequestMetrics
  let log: AccessLog
  let connections: ConnectionRegistry
  /// Nil where everybody may ask.
  let token: BearerToken?
  let date = HTTPDate()

  /// What a request comes to.
  enum Outcome: Sendable {
    /// No server has to be asked for it: a refusal, the service's own state, a wallet in memory.
    case answered(ServedResponse)
    case read(Reading)
  }

  /// What has to be read elsewhere.
  enum Reading: Sendable {
    case wallets(WalletListRequest)
    case wallet(String)
  }

  /// Looks at a request. It never waits, so an event loop may call it.
  func outcome(of request: ServedRequest) -> Outcome {
    let route = Route(path: request.path)
    do {
      switch try look(at: request, route) {
      case .answered(let response): return .answered(finished(response, request, route))
      case .read(let reading): return .read(reading)
      }
    } catch {
      return .answered(finished(Self.failure(error), request, route))
    }
  }

  /// Reads, and answers a request.
  func respond(to request: ServedRequest, with reading: Reading) async -> ServedResponse {
    let response: ServedResponse
    do {
      switch reading {
      case .wallets(let list): response = ServedResponse(.ok, try await source.wallets(list))
      case .wallet(let name):
        let (json, tier) = try await source.wallet(name)
        response = Self.wallet(json, tier)
      }
    } catch {
      response = Self.failure(error)
    }
    return finished(response, request, Route(path: request.path))
  }

  private func finished(
    _ answer: ServedResponse, _ request: ServedRequest, _ route: Route
  ) -> ServedResponse {
    var response = answer
    if response.status == .ok { tag(&response, request, route) }
    pack(&response, request)
    response.headers.add(name: "date", value: date.text)
    response.headers.add(name: "x-content-type-options", value: "nosniff")
    return response
  }

  /// What the log and the counters get of an answer.
  func note(_ request: ServedRequest, _ response: ServedResponse, nanoseconds: Int64, bytes: Int) {
    let route = Route(path: request.path).name
    let status = Int(response.status.code)
    metrics.end(route: route, status: status, seconds: Double(nanoseconds) / 1e9, tier: response.tier)
    log.write([
      "time": .time(Timestamp.now()), "client": .string(request.client),
      "method": .string(request.method.rawValue), "path": .string(String(request.path.prefix(512))),
      "route": .string(route), "status": .integer(Int64(status)), "bytes": .integer(Int64(bytes)),
      "ms": .number((Double(nanoseconds) / 1e3).rounded() / 1e3), "protocol": .string(request.version),
      "tier": .optional(response.tier), "error": .optional(response.trouble),
      "user_agent": .optional(request.headers.first(name: "user-agent").map { String($0.prefix(256)) }),
    ])
  }

  private func refusal(of request: ServedRequest, _ route: Route) -> ServedResponse? {
    if let token, !route.isOpen, !token.isShown(in: request.headers) {
      var response = ServedResponse.error(
        .unauthorized, code: "token_required", "this needs the service's bearer token",
        hint: "send it as: Authorization: Bearer TOKEN")
      response.headers.add(name: "www-authenticate", value: "Bearer")
      return response
    }
    guard request.method == .GET || request.method == .HEAD else {
      var response = ServedResponse.error(
        .methodNotAllowed, code: "method_not_allowed", "this service is read only: GET and HEAD")
      response.headers.add(name: "allow", value: "GET, HEAD")
      return response
    }
    return nil
  }

  private func look(at request: ServedRequest, _ route: Route) throws -> Outcome {
    if let refusal = refusal(of: request, route) { return .answered(refusal) }
    switch route {
    case .health: return .answered(ServedResponse(.ok, ["status": "up"]))
    case .ready: return .answered(readiness.response)
    case .metrics:
      let text = (metrics.lines() + stateLines() + ProcessMetrics.lines()).joined(separator: "\n") + "\n"
      return .answered(
        ServedResponse(type: "text/plain; version=0.0.4; charset=utf-8", body: Array(text.utf8)))
    case .wallets:
      guard let query = request.query else { throw WalletListRequest.invalid("the query is malformed") }
      return .read(.wallets(try WalletListRequest(query: query)))
    case .wallet(let name):
      guard request.query?.isEmpty == true else {
        return .answered(
          .error(.badRequest, code: "parameter_invalid", "a wallet is asked for without parameters"))
      }
      guard let json = try source.walletInMemory(name) else { return .read(.wallet(name)) }
      return .answered(Self.wallet(json, .l1))
    case .unknown:
      return .answered(
        .error(
          .notFound, code: "route_unknown", "there is nothing at this path",
          hint: "see `ironforge serve --help`"))
    }
  }

  private static func wallet(_ json: String, _ tier: CacheTier) -> ServedResponse {
    var body: [UInt8] = []
    body.reserveCapacity(json.utf8.count + 1)
    body.append(contentsOf: json.utf8)
    body.append(UInt8(ascii: "\n"))
    var response = ServedResponse(type: "application/json", body: body)
    response.tier = tier.rawValue
    response.headers.add(name: "ironforge-tier", value: tier.rawValue)
    return response
  }

  /// An error as clients see it: their own mistakes in full, the server's troubles by their code. Messages of those name hosts
  /// and users, and belong in the log.
  static func failure(_ error: any Error) -> ServedResponse {
    let report = ErrorReport(error)
    // What PostgreSQL takes for malformed is the service's mistake and not the client's.
    let isServers = error is PostgresError
    let isTooSlow = (error as? PostgresError)?.sqlState == "57014"
    let kind = isTooSlow ? .busy : (error as? any Failure)?.kind ?? .unexpected
    switch kind {
    case .usage where !isServers, .malformedInput where !isServers:
      return .error(.badRequest, code: report.code, report.message, hint: report.hint)
    case .refused:
      return .error(.notFound, code: report.code, report.message)
    case .unreachable, .busy:
      var response = ServedResponse.error(
        .serviceUnavailable, code: report.code, "the service cannot answer at the moment",
        hint: "try again; GET /api/ready says which server is away")
      response.headers.add(name: "retry-after", value: "1")
      response.trouble = report.message
      return response
    case .usage, .malformedInput, .unexpected, .partial, .outcomeUnknown, .found, .privilege, .configuration,
      .targetMissed,
      .interrupted, .terminated:
      var response = ServedResponse.error(
        .internalServerError, code: report.code, "the service could not answer; its log says why")
      response.trouble = report.message
      return response
    }
  }

  /// An entity tag, and 304 for a client that has the body. Not for what differs at each request.
  private func tag(_ response: inout ServedResponse, _ request: ServedRequest, _ route: Route) {
    switch route {
    case .health, .ready, .metrics, .unknown: return
    case .wallets, .wallet: break
    }
    let tag = EntityTag.of(response.body)
    response.headers.add(name: "etag", value: tag)
    // May be kept, and must be asked for anew each time: wallets change, and they are nobody else's business.
    response.headers.replaceOrAdd(name: "cache-control", value: "private, no-cache")
    guard EntityTag.matches(request.headers["if-none-match"], tag) else { return }
    response.status = .notModified
    response.body = []
    response.headers.remove(name: "content-type")
  }

  private func pack(_ response: inout ServedResponse, _ request: ServedRequest) {
    response.headers.add(name: "vary", value: "accept-encoding")
    guard response.status != .notModified else { return }
    if response.body.count >= ContentCoding.bytesMin,
      ContentCoding.acceptsGzip(request.headers["accept-encoding"]),
      let packed = ContentCoding.gzip(response.body)
    {
      response.body = packed
      response.headers.add(name: "content-encoding", value: "gzip")
    }
    response.headers.add(name: "content-length", value: String(response.body.count))
  }

  private func stateLines() -> [String] {
    let pool = source.pool.statistics
    var lines = RequestMetrics.head(
      "ironforge_postgres_connections", "gauge", "Connections of the pool by state.")
    let states = [
      ("opening", pool.opening), ("idle", pool.idle), ("leased", pool.leased), ("closing", pool.closing),
    ]
    lines += states.map { "ironforge_postgres_connections{state=\"\($0)\"} \($1)" }
    lines += RequestMetrics.gauge(
      "ironforge_postgres_waiting", "Requests that wait for a connection.", pool.waiting)
    lines += RequestMetrics.gauge(
      "ironforge_cache_l1_entries", "Values in memory.", source.l1.statistics.count)
    lines += RequestMetrics.gauge("ironforge_http_connections", "Open connections.", connections.count)
    lines += RequestMetrics.head("ironforge_dependency_up", "gauge", "Whether a server answers.")
    lines += readiness.dependencies.map { "ironforge_dependency_up{name=\"\($0)\"} \($1 ? 1 : 0)" }
    return lines
  }
}
