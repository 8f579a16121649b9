internal import Cache
internal import Commands
internal import ConnectionPool
internal import NIOHTTP1
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

  /// Answers a request.
  func respond(to request: ServedRequest) async -> ServedResponse {
    let route = Route(path: request.path)
    var response = await answer(request, route)
    if response.status == .ok || response.status == .notModified { tag(&response, request, route) }
    pack(&response, request)
    response.headers.add(name: "date", value: date.text)
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

  private func answer(_ request: ServedRequest, _ route: Route) async -> ServedResponse {
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
    do {
      switch route {
      case .health: return ServedResponse(.ok, ["status": "up"])
      case .ready: return readiness.response
      case .metrics:
        let text = (metrics.lines() + stateLines() + ProcessMetrics.lines()).joined(separator: "\n") + "\n"
        return ServedResponse(type: "text/plain; version=0.0.4; charset=utf-8", body: Array(text.utf8))
      case .wallets:
        guard let query = request.query else { throw WalletListRequest.invalid("the query is malformed") }
        return ServedResponse(.ok, try await source.wallets(try WalletListRequest(query: query)))
      case .wallet(let name):
        let (json, tier) = try await source.wallet(name)
        var response = ServedResponse(type: "application/json", body: Array(json.utf8) + [UInt8(ascii: "\n")])
        response.tier = tier.rawValue
        response.headers.add(name: "ironforge-tier", value: tier.rawValue)
        return response
      case .unknown:
        return .error(
          .notFound, code: "route_unknown", "there is nothing at this path",
          hint: "see `ironforge serve --help`")
      }
    } catch {
      return Self.failure(error)
    }
  }

  /// An error as clients see it: their own mistakes in full, the server's troubles by their code. Messages of those name hosts
  /// and users, and belong in the log.
  static func failure(_ error: any Error) -> ServedResponse {
    let report = ErrorReport(error)
    let kind = (error as? any Failure)?.kind ?? .unexpected
    switch kind {
    case .usage, .malformedInput:
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
    case .unexpected, .partial, .outcomeUnknown, .found, .privilege, .configuration, .targetMissed,
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
