internal import Commands
internal import Configuration
internal import ConnectionPool
import Glibc
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Primitives

/// Runs `ironforge-serve` with the arguments behind its name, until a signal ends it. Returns the exit code.
public func runServe(_ arguments: [String]) -> Int32 {
  runIronforgeServe(arguments) { context, options in
    try await ServeRun(context, options).run()
  }
}

/// The life of the service: listen, serve, drain.
private struct ServeRun: Sendable {
  private let context: CommandContext
  private let options: ServeOptions
  private let service: HTTPService
  private let address: ListenAddress
  private let tls: NIOSSLContext?
  private let notifier = ServiceNotifier()

  /// How long the last lines of the log may take: its reader may have got stuck.
  private static let logPatience = Duration.seconds(2)

  init(_ context: CommandContext, _ options: ServeOptions) throws {
    self.context = context
    self.options = options
    address = try ListenAddress(try options.listen ?? context.configuration().values.http.listen)
    let token = try BearerToken.configured(file: options.tokenFile)
    tls = try Self.tlsContext(options)
    if !address.isLoopback {
      guard token != nil else {
        throw SimpleFailure(
          .configuration, code: "token_missing",
          message: "\(address.text) can be reached from other machines, and no bearer token is set",
          hint: "openssl rand -hex 32 > token; then --token-file token, or listen on 127.0.0.1")
      }
      if tls == nil {
        context.messages.warning(
          "the bearer token travels in clear text: name --tls-cert and --tls-key, or put a proxy with TLS before this"
        )
      }
    }
    service = HTTPService(
      source: try WalletSource(context), readiness: try Readiness(context), metrics: RequestMetrics(),
      log: try AccessLog(options.accessLog), connections: ConnectionRegistry(most: options.maxConnections),
      token: token)
  }

  func run() async throws {
    try raiseDescriptorLimit()
    let (stops, stop) = AsyncStream.makeStream(of: Void.self)
    let registration = try context.signals.onStop { stop.yield() }
    defer { withExtendedLifetime(registration) {} }
    let listener = try await listen()
    let writer = AccessLogWriter()
    var background = [
      Task { [service] in await service.source.pool.run() },
      Task { [service] in await service.readiness.watch() },
      Task { [service] in await publish(service.source) },
      Task { [notifier] in await feed(notifier) },
    ]
    background.append(Task { [service] in await writer.run(service.log) })
    notifier.send("READY=1\nSTATUS=listening on \(bound(listener))")
    context.messages.info("listening on \(tls == nil ? "http" : "https")://\(bound(listener))")
    for await _ in stops { break }
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await drain(listener)) } catch { outcome = .failure(error) }
    for task in background { task.cancel() }
    service.log.close()
    let deadline = Deadline.after(Self.logPatience)
    while !service.log.isFinished, !deadline.hasPassed { try await Task.sleep(for: .milliseconds(10)) }
    try outcome.get()
  }

  /// Ends in order: readiness says so, nobody is accepted, what is in flight ends, within the bound.
  private func drain(_ listener: any Channel) async throws {
    notifier.send("STOPPING=1")
    service.readiness.drain()
    context.messages.info("stopping: \(service.metrics.requestsInFlight) requests in flight")
    if options.drainDelay > 0 { try await Task.sleep(for: .seconds(options.drainDelay)) }
    let deadline = Deadline.after(.seconds(options.drainTimeout))
    try await listener.close()
    service.connections.quiesce()
    while service.connections.count > 0, !deadline.hasPassed { try await Task.sleep(for: .milliseconds(20)) }
    let left = service.metrics.requestsInFlight
    service.connections.closeAll()
    let closing: Result<Void, any Error>
    do { closing = .success(try await service.source.close(deadline: .after(.seconds(5)))) } catch {
      closing = .failure(error)
    }
    // A server that is silent may be why both went wrong; clients were harmed by this.
    guard left == 0 else {
      throw SimpleFailure(
        .busy, code: "drain_timeout",
        message:
          "\(left) requests were still in flight after \(options.drainTimeout) seconds, and were cut off",
        hint: "give them longer: --drain-timeout")
    }
    try closing.get()
  }

  private func listen() async throws -> any Channel {
    let pipeline = ServedPipeline(service: service, tls: tls)
    let connections = service.connections
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      // `AcceptLimit` is asked before each read, so that one may bring one connection only.
      .serverChannelOption(.maxMessagesPerRead, value: 1)
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(AcceptLimit(connections))
        }
      }
      .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { pipeline.configure($0) }
    do {
      return try await bootstrap.bind(host: address.host, port: address.port).get()
    } catch {
      throw SimpleFailure(
        .unreachable, code: "listen_failed", message: "cannot listen on \(address.text): \(error)",
        hint: "another program may have the port; choose another: --listen HOST:PORT")
    }
  }

  /// Every connection takes a descriptor, and so do those to PostgreSQL and Redis. Without room for all of them a burst of
  /// clients would make the service unable to reach its servers.
  ///
  /// - Throws: `descriptors_too_few`.
  private func raiseDescriptorLimit() throws {
    let wanted = UInt64(
      options.maxConnections + (try context.configuration().values.database.maxConnections) + 100)
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0, limit.rlim_cur < wanted else { return }
    let had = limit.rlim_cur
    limit.rlim_cur = min(limit.rlim_max, rlim_t(wanted))
    guard limit.rlim_cur >= wanted, setrlimit(resource, &limit) == 0 else {
      throw SimpleFailure(
        .configuration, code: "descriptors_too_few",
        message: "\(options.maxConnections) connections need \(wanted) open files, and \(had) are allowed",
        hint: "lower --max-connections, or allow more: LimitNOFILE= of the unit, ulimit -n")
    }
  }

  private func bound(_ listener: any Channel) -> String {
    guard let port = listener.localAddress?.port else { return address.text }
    return "\(address.host.contains(":") ? "[\(address.host)]" : address.host):\(port)"
  }

  private static func tlsContext(_ options: ServeOptions) throws -> NIOSSLContext? {
    guard let certificate = options.certificate, let key = options.privateKey else { return nil }
    do {
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
        privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
      configuration.minimumTLSVersion = .tlsv12
      configuration.applicationProtocols = ["h2", "http/1.1"]
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw SimpleFailure(
        .configuration, code: "tls_unusable",
        message: "\(certificate) and \(key) cannot be used: \(error)",
        hint: "both are PEM files; the certificate's chain stands in one file, its own first")
    }
  }
}

/// Adds the counts of the cache to those of all processes, now and then.
private func publish(_ source: WalletSource) async {
  while !Task.isCancelled {
    do { try await Task.sleep(for: .seconds(10)) } catch { return }
    await source.publishCounters()
  }
}

/// Keeps systemd's watchdog quiet as long as tasks are run.
private func feed(_ notifier: ServiceNotifier) async {
  guard let interval = notifier.watchdogInterval else { return }
  while !Task.isCancelled {
    notifier.send("WATCHDOG=1")
    do { try await Task.sleep(for: interval) } catch { return }
  }
}
