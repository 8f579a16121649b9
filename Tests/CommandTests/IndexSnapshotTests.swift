import Primitives
import TestSupport
import Testing

/// The usage ledger on real servers: a streaming standby, resets, crashes, a promotion.
@Suite(.timeLimit(.minutes(4))) struct IndexSnapshotTests {
  private static let schema = """
    -- The role is called as the schema of IronForge's own tables, which would come first.
    set search_path = public;
    create table t (id int primary key, a int, b int, c int, pad text);
    create index t_unused on t (a);
    create index t_standby on t (b);
    create index t_primary on t (c);
    insert into t select n, n, n, n, repeat('x', 1100) from generate_series(1, 1000) n;
    """

  private func migrate(_ url: String) async throws {
    let result = try await Ironforge.run(["migrate", "up", "--database-url", url])
    guard result.exitCode == 0 else { throw TestFailure(result.stderr) }
  }

  /// With a server that has the schema, and a standby of it.
  private func withShop(_ body: (PrivatePostgres, PostgresAddress) async throws -> Void) async throws {
    try await withPrivatePostgres { server in
      try await migrate(server.url)
      try await server.sql(Self.schema)
      try await withStandby(of: server) { standby in
        try await caughtUp(standby, server)
        try await body(server, standby)
      }
    }
  }

  private func caughtUp(_ standby: PostgresAddress, _ server: PrivatePostgres) async throws {
    let place = try await server.sql("select pg_current_wal_lsn()")
    let deadline = Deadline.after(.seconds(30))
    let query = "select pg_last_wal_replay_lsn() >= '\(place[0][0])'"
    while try await standby.sql(query, database: "ironforge") != [["t"]] {
      guard !deadline.hasPassed else { throw TestFailure("the standby does not follow") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  private func run(
    _ arguments: [String], _ url: String, replicas: [String] = [], exit code: Int32 = 0
  ) async throws -> (json: JSON, stderr: String) {
    let result = try await Ironforge.run(
      ["index"] + arguments + ["--json", "--database-url", url],
      env: ["IRONFORGE_DATABASE_REPLICAS": .some(replicas.joined(separator: ";"))])
    #expect(result.exitCode == code, "\(arguments): \(result.stdout) \(result.stderr)")
    let isList = arguments.first == "usage"
    let text = isList ? "[\(result.stdout.split(separator: "\n").joined(separator: ","))]" : result.stdout
    return (result.stdout.isEmpty ? .null : try JSON(parsing: Array(text.utf8)), result.stderr)
  }

  private func snapshot(
    _ url: String, replicas: [String] = [], exit code: Int32 = 0
  ) async throws -> (json: JSON, stderr: String) {
    try await run(["snapshot"], url, replicas: replicas, exit: code)
  }

  /// The verdicts of an audit by index, with the codes of their reasons.
  private func verdicts(_ url: String, replicas: [String] = []) async throws -> [String: String] {
    let report = try await run(
      ["audit", "--only", "unused", "--table", "t", "--fail-on", "none", "--verbose"], url, replicas: replicas
    ).json
    var verdicts: [String: String] = [:]
    for finding in list("findings", report) {
      let codes = list("reasons", finding).map { text("code", $0) }
      verdicts[text("index", finding)] = "\(text("verdict", finding)) \(codes.joined(separator: " "))"
    }
    return verdicts
  }

  private func member(_ key: String, _ json: JSON) -> JSON? {
    guard case .object(let members) = json else { return nil }
    return members.first { $0.key == key }?.value
  }

  private func list(_ key: String, _ json: JSON) -> [JSON] {
    guard case .array(let elements)? = member(key, json) else { return [] }
    return elements
  }

  private func text(_ key: String, _ json: JSON) -> String {
    switch member(key, json) {
    case .string(let text)?: text
    case let other?: other.description
    case nil: "absent"
    }
  }

  /// As if the snapshots had begun two months ago.
  private func backdate(_ server: PrivatePostgres) async throws {
    try await server.sql(
      """
      update ironforge.index_servers set covered_from = now() - interval '60 days';
      update ironforge.index_history set first_seen_at = now() - interval '60 days';
      """)
  }

  private func scan(_ column: String, _ address: PostgresAddress) async throws {
    try await address.sql(
      """
      set enable_seqscan = off;
      select * from t where \(column) = 5;
      \(try await flush(address))
      """, database: "ironforge")
  }

  /// From version 15 on counters can be asked for at once.
  private func flush(_ address: PostgresAddress) async throws -> String {
    let known = try await address.sql(
      "select count(*) from pg_proc where proname = 'pg_stat_force_next_flush'", database: "ironforge")
    return known == [["1"]] ? "select pg_stat_force_next_flush();" : "select pg_sleep(1);"
  }

  private func control(_ verb: String, _ standby: PostgresAddress) async throws {
    let script = """
      as_server() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
      as_server '\(standby.programs)/pg_ctl' -D '\(standby.host)/data' \(verb)
      """
    let result = try await Program("/bin/bash", ["-c", script], directory: standby.host).run()
    guard result.exitCode == 0 else { throw TestFailure("\(result.stdout) \(result.stderr)") }
  }

  @Test func whatOnlyAStandbyReadsIsKeptAndNothingGoesWhileItIsAway() async throws {
    try await withShop { server, standby in
      let replica = standby.url(database: "ironforge")
      let first = try await snapshot(server.url, replicas: [replica])
      #expect(list("servers", first.json).map { text("role", $0) } == ["primary", "standby"])
      #expect(text("previous", first.json) == "null")
      try await backdate(server)
      let before = try await verdicts(server.url, replicas: [replica])
      #expect(before["t_unused"] == "drop never_read")
      #expect(before["t_standby"] == "drop never_read")
      #expect(before["t_pkey"] == "keep never_read primary_key")

      try await scan("b", standby)
      try await scan("c", server.address)
      // Asked now, without a snapshot.
      let read = try await verdicts(server.url, replicas: [replica])
      #expect(read["t_standby"] == nil && read["t_primary"] == nil)
      #expect(read["t_unused"] == "drop never_read")
      let second = try await snapshot(server.url, replicas: [replica])
      #expect(Int(text("indexes_read", second.json)).map { $0 >= 2 } == true)
      let days = try await server.sql(
        """
        select h.index_name, s.is_standby, d.scans, d.day = (now() at time zone 'UTC')::date
        from ironforge.index_usage_days d
        join ironforge.index_history h on h.id = d.index_id
        join ironforge.index_servers s on s.id = d.server_id
        where h.table_name = 't' and h.index_name <> 't_pkey' order by 1
        """)
      #expect(days == [["t_primary", "f", "1", "t"], ["t_standby", "t", "1", "t"]])

      // Nobody reads it on the primary; who leaves the standby out is told.
      let alone = try await verdicts(server.url)
      #expect(alone["t_unused"] == "review never_read usage_lost replica_unheard")
      let usage = try await run(["usage", "--table", "t"], server.url, replicas: [replica]).json
      guard case .array(let rows) = usage else { throw TestFailure("\(usage)") }
      let row = try #require(rows.first { text("indexname", $0) == "t_standby" })
      #expect(text("idx_scan", row) == "1")
      #expect(list("servers", row).map { text("idx_scan", $0) } == ["1"])

      try await control("-m immediate stop", standby)
      let away = try await snapshot(server.url, replicas: [replica], exit: 3)
      #expect(list("unheard", away.json).count == 1)
      #expect(list("servers", away.json).count == 1)
      #expect(away.stderr.contains("cannot be reached"))
      let reviewed = try await verdicts(server.url, replicas: [replica])
      #expect(reviewed["t_unused"] == "review never_read replica_unheard")
      #expect(reviewed.values.allSatisfy { !$0.hasPrefix("drop") })
      try await control(
        """
        -w -l '\(standby.host)/data/log' \
          -o "-c listen_addresses='' -c unix_socket_directories='\(standby.host)' -p 5432" start
        """, standby)
      let back = try await snapshot(server.url, replicas: [replica])
      let lost = try #require(list("servers", back.json).last.flatMap { member("lost", $0) })
      #expect(lost != .null)
      // What it read before it was killed is remembered.
      let remembered = try await verdicts(server.url, replicas: [replica])
      #expect(remembered["t_standby"] == nil)
      #expect(remembered["t_unused"] == "drop never_read usage_lost")
    }
  }

  @Test func aPromotedStandbyTakesItsCountersAlong() async throws {
    try await withShop { server, standby in
      let replica = standby.url(database: "ironforge")
      let first = try await snapshot(server.url, replicas: [replica])
      #expect(list("servers", first.json).map { text("timeline", $0) } == ["1", "1"])
      try await scan("b", standby)
      try await scan("c", server.address)
      _ = try await snapshot(server.url, replicas: [replica])
      try await caughtUp(standby, server)
      try await server.stop(mode: .fast)
      try await standby.sql("select pg_promote()", database: "ironforge")
      let promoted = try await snapshot(replica)
      let servers = list("servers", promoted.json)
      #expect(servers.map { text("promoted", $0) } == ["true"])
      #expect(servers.map { text("timeline", $0) } == ["2"])
      #expect(servers.map { text("new", $0) } == ["false"])
      #expect(servers.map { member("lost", $0) } == [.null])
      #expect(list("left", promoted.json).count == 1)
      #expect(promoted.stderr.contains("was a standby and is the primary now"))
      let usage = try await run(["usage", "--table", "t"], replica).json
      guard case .array(let rows) = usage else { throw TestFailure("\(usage)") }
      for name in ["t_standby", "t_primary"] {
        let row = try #require(rows.first { text("indexname", $0) == name })
        #expect(list("servers", row).map { text("idx_scan", $0) } == ["1"], "\(name)")
      }
    }
  }

  @Test func resetsAndCrashesLoseNoMoreThanTheTimeBeforeThem() async throws {
    try await withPrivatePostgres { server in
      try await migrate(server.url)
      try await server.sql(Self.schema)
      _ = try await snapshot(server.url)
      try await backdate(server)
      func lost(_ what: String) async throws -> String {
        try await scan("c", server.address)
        let snapshot = try await snapshot(server.url).json
        let lost = list("servers", snapshot).first.flatMap { member("lost", $0) } ?? .null
        let scans = try await server.sql(
          """
          select scans_known from ironforge.index_counters c join ironforge.index_history h on h.id = c.index_id
          where h.index_name = 't_primary'
          """)
        return "\(what): \(text("cause", lost)) \(scans[0][0])"
      }
      #expect(try await lost("nothing") == "nothing: absent 1")
      try await server.restart(mode: .fast)
      #expect(try await lost("restart") == "restart: absent 2")
      try await server.sql("select pg_stat_reset_single_table_counters('t_unused'::regclass)")
      #expect(try await lost("one") == "one: reset 3")
      try await server.sql("select pg_stat_reset()")
      #expect(try await lost("all") == "all: reset 4")
      try await server.sql("select pg_stat_reset_shared('bgwriter')")
      #expect(try await lost("shared") == "shared: reset 5")
      try await server.restart(mode: .immediate)
      #expect(try await lost("stop") == "stop: crash 6")
      // The postmaster lives on, and starts anew.
      try await scan("c", server.address)
      let counting = "select stats_reset from pg_stat_bgwriter"
      let before = try await server.sql(counting)
      let backends = try await server.sql(
        "select pid from pg_stat_activity where backend_type = 'checkpointer'")
      try server.signal(9, process: try #require(Int32(backends[0][0])))
      let deadline = Deadline.after(.seconds(30))
      var after = before
      while after == before {
        guard !deadline.hasPassed else { throw TestFailure("the server did not crash") }
        // While it recovers nobody is let in.
        do { after = try await server.sql(counting) } catch is TestFailure { continue }
      }
      // Each counter may be as high as before: what is lost is known, and at least what came to it.
      let killed = try await lost("kill")
      #expect(["kill: reset 6", "kill: crash 7"].contains(killed), "\(killed)")
      let verdicts = try await verdicts(server.url)
      #expect(verdicts["t_unused"] == "drop never_read usage_lost")
      #expect(verdicts["t_primary"] == nil)
    }
  }

  @Test func aServerThatIsNoReplicaIsRefused() async throws {
    try await withDatabase(template: .migrated) { database in
      try await withPrivatePostgres { other in
        let refused = try await snapshot(database.url, replicas: [other.url], exit: 78)
        #expect(refused.stderr.contains(#""code":"replica_foreign""#))
        #expect(refused.stderr.contains("belongs to another cluster"))
        #expect(try await database.sql("select count(*) from ironforge.index_servers") == [["0"]])
        let audit = try await run(["audit", "--fail-on", "none"], database.url, replicas: [other.url]).json
        let statistics = try #require(member("statistics", audit))
        let replica = try #require(list("replicas", statistics).first)
        #expect(text("heard", replica) == "false" && text("reachable", replica) == "true")
        // Its own address twice is no harm.
        let twice = try await snapshot(database.url, replicas: [database.url])
        #expect(twice.stderr.contains("is the same server as"))

        // What only receives files of the log reads nothing.
        let directory = try TemporaryDirectory("received")
        let receiver = try await Program(
          "\(other.address.programs)/pg_receivewal",
          ["--directory", directory.path, "--dbname", other.url]
        ).start()
        let deadline = Deadline.after(.seconds(30))
        let isWriting = "select count(*) from pg_stat_replication where write_lsn is not null"
        while try await other.sql(isWriting) != [["1"]] {
          guard !deadline.hasPassed else { throw TestFailure("pg_receivewal does not write") }
          try await Task.sleep(for: .milliseconds(50))
        }
        let received = try await run(["audit", "--fail-on", "none"], other.url).json
        let others = try #require(member("statistics", received))
        #expect(list("replicas", others).isEmpty)
        #expect(text("ledger", others) == "false")
        receiver.kill()
        _ = try await receiver.finish()
      }
    }
  }

  @Test func aRebuiltIndexKeepsItsHistory() async throws {
    try await withDatabase(template: .migrated) { database in
      try await database.sql("create table t (a int); create index t_a on t (a); create index t_b on t (a)")
      _ = try await snapshot(database.url)
      func history() async throws -> [[String]] {
        try await database.sql(
          "select index_name, first_seen_at from ironforge.index_history where table_name = 't' order by 1")
      }
      let before = try await history()
      try await database.sql("reindex index concurrently t_a")
      try await database.sql("alter index t_b rename to t_c")
      let rebuilt = try await snapshot(database.url).json
      #expect(
        ["created", "removed", "rebuilt", "renamed"].map { text($0, rebuilt) } == ["0", "0", "1", "1"])
      let after = try await history()
      #expect(after.map { $0[0] } == ["t_a", "t_c"] && after.map { $0[1] } == before.map { $0[1] })
      try await database.sql("drop index t_a")
      let gone = try await snapshot(database.url).json
      #expect(text("removed", gone) == "1")
    }
  }

  /// A narrow index has all scans because the planner prefers it; when it is dropped, the wide one is not unused.
  @Test func whatTakesOverFromADroppedIndexIsNotUnused() async throws {
    try await withPrivatePostgres { server in
      try await migrate(server.url)
      try await server.sql(Self.schema)
      _ = try await snapshot(server.url)
      try await scan("c", server.address)
      // Made later, because it is as cheap for the planner.
      try await server.sql(
        """
        set search_path = public;
        create index t_c_a on t (c, a);
        create index t_b_a on t (b, a) where b > 0
        """)
      _ = try await snapshot(server.url)
      try await backdate(server)
      let before = try await verdicts(server.url)
      #expect(before["t_c_a"] == "keep never_read survivor")
      #expect(before["t_b_a"] == "drop never_read")
      try await server.sql("drop index t_primary")
      // Asked before the next snapshot, and after it.
      let dropped = try await verdicts(server.url)
      #expect(dropped["t_c_a"] == "review never_read index_relieved")
      #expect(dropped["t_b_a"] == "drop never_read")
      _ = try await snapshot(server.url)
      let recorded = try await verdicts(server.url)
      #expect(recorded["t_c_a"] == "review never_read index_relieved")
      try await server.sql(
        "update ironforge.index_history set relieved_at = now() - interval '31 days' where index_name = 't_c_a'"
      )
      let later = try await verdicts(server.url)
      #expect(later["t_c_a"] == "drop never_read")
    }
  }

  /// `CREATE DATABASE … TEMPLATE` copies the ledger, and not what it tells of.
  @Test func aCopiedDatabaseBeginsALedgerOfItsOwn() async throws {
    try await withPrivatePostgres { server in
      try await migrate(server.url)
      try await server.sql(Self.schema)
      _ = try await snapshot(server.url)
      try await backdate(server)
      try await server.address.sql("create database copied template ironforge", database: "postgres")
      let copy = server.address.url(database: "copied")
      let statistics = try await run(["audit", "--fail-on", "none"], copy).json["statistics"]
      #expect(text("ledger", statistics) == "false")
      let first = try await snapshot(copy)
      #expect(text("previous", first.json) == "null" && text("removed", first.json) == "0")
      #expect(first.stderr.contains("it begins anew with this snapshot"))
      let seen = try await server.address.sql(
        "select count(*) from ironforge.index_history where first_seen_at < now() - interval '1 hour'",
        database: "copied")
      #expect(seen == [["0"]])
      let second = try await snapshot(copy)
      #expect(text("previous", second.json) == text("at", first.json))
      #expect(!second.stderr.contains("begins anew"))
      let original = try await snapshot(server.url)
      #expect(text("previous", original.json) != "null" && text("created", original.json) == "0")
    }
  }

  @Test func oldDaysBecomeMonthsAndGo() async throws {
    try await withDatabase(template: .migrated) { database in
      try await database.sql("create table t (a int); create index t_a on t (a)")
      _ = try await snapshot(database.url)
      try await database.sql(
        """
        update ironforge.index_servers set heard_at = heard_at - interval '1 day';
        insert into ironforge.index_usage_days
        select h.id, s.id, d, 2, 20, 10
        from ironforge.index_history h, ironforge.index_servers s,
          (values (current_date - 401), (current_date - 10),
            ((date_trunc('month', current_date) - interval '6 months')::date),
            ((date_trunc('month', current_date) - interval '6 months')::date + 1),
            ((date_trunc('month', current_date) - interval '6 months')::date + 20),
            ((date_trunc('month', current_date) - interval '5 months')::date + 3)) days (d)
        where h.index_name = 't_a'
        """)
      _ = try await snapshot(database.url)
      let days = try await database.sql(
        """
        select d.day = current_date - 10, extract(day from d.day) = 1, d.scans, d.tuples_read
        from ironforge.index_usage_days d join ironforge.index_history h on h.id = d.index_id
        where h.index_name = 't_a' order by d.day
        """)
      #expect(days.map { $0.dropFirst(2).joined(separator: " ") } == ["6 60", "2 20", "2 20"])
      #expect(days.prefix(2).allSatisfy { $0[1] == "t" })
      #expect(days.last?.first == "t")
    }
  }

  @Test func saysWhatIsMissing() async throws {
    try await withDatabase { database in
      let absent = try await snapshot(database.url, exit: 78)
      #expect(absent.stderr.contains(#""code":"usage_ledger_missing""#))
      #expect(absent.stderr.contains("ironforge migrate up"))
    }
    try await withDatabase(template: .migrated) { database in
      let role = "reader_\(database.name)"
      try await database.sql("create role \(role) login; grant pg_monitor to \(role)")
      let url = database.url.replacing("user=ironforge", with: "user=\(role)")
      let denied = try await snapshot(url, exit: 77)
      #expect(denied.stderr.contains("insufficient_privilege"))
      _ = try await snapshot(database.url)
      // To audit with the ledger pg_monitor does.
      let audit = try await run(["audit", "--fail-on", "none"], url).json
      #expect(member("statistics", audit).map { text("ledger", $0) } == "true")
      try await database.sql("revoke select on ironforge.index_gaps from pg_monitor")
      let hidden = try await run(["usage"], url)
      #expect(hidden.stderr.contains("the usage ledger is left out"))
      let unread = try await snapshot(url, exit: 77)
      #expect(unread.stderr.contains("the role may not read the usage ledger"))
      let quiet = try await Ironforge.run(["index", "snapshot", "--quiet", "--database-url", database.url])
      #expect(quiet.exitCode == 0 && quiet.stdout == "" && quiet.stderr == "")
      try await database.sql("drop owned by \(role); drop role \(role)")
    }
  }
}
