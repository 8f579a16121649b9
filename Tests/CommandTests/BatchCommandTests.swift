import Glibc
import Primitives
import TestSupport
import Testing

@Suite struct BatchCommandTests {
  private static let header = "key,from,to,amount,currency,memo\n"
  private static let bank = "ada@example.com/bank"
  private static let main = "ada@example.com/main"
  private static let savings = "ada@example.com/savings"

  /// A value of the summary, as JSON text.
  private func member(_ key: String, _ result: ProgramResult) throws -> String {
    let json = try JSON(parsing: Array(result.stdout.utf8))
    guard case .object(let members) = json else { throw TestFailure("no summary: \(result)") }
    return try #require(members.first { $0.key == key }, "\(key) in \(result)").value.description
  }

  private func stored(_ town: Town) async throws -> [[String]] {
    try await town.database.sql("select key, status, coalesce(code, '') from transfers order by key")
  }

  @Test func aFileIsCarriedOutInItsOrderWithTheCodesOfSingleTransfers() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let file = try directory.write(
        Self.header + """
          a,\(Self.bank),\(Self.main),10.00,USD,"first, ""of all"" x"
          ,\(Self.main),\(Self.savings),4,USD,
          ,\(Self.main),\(Self.savings),6.01,USD,
          a,\(Self.bank),\(Self.main),10,USD,"first, ""of all"" x"
          a,\(Self.bank),\(Self.main),11,USD,
          b,\(Self.bank),nobody@example.com/x,1,USD,
          c,,\(Self.main),1,USD,
          d,\(Self.bank),,1,USD,
          e,\(Self.bank),\(Self.main),1,,
          f,\(Self.bank),\(Self.main),,USD,
          g,\(Self.bank),\(Self.main),1.001,USD,
          h,\(Self.main),\(Self.main),1,USD,
          i,\(Self.bank)
          j,\(Self.main),\(Self.savings),6,USD,
          """, to: "payouts.csv")
      let (outcome, retry) = (directory.file("outcome.csv"), directory.file("retry.csv"))
      let before = try await town.contents()
      let rehearsed = try await town.run(
        "transfer", "batch", file, "--outcome", outcome, "--retry-file", retry, "--dry-run", "--json")
      #expect(rehearsed.exitCode == 3 && rehearsed.stderr == "", "\(rehearsed)")
      #expect(try await town.contents() == before)
      #expect(try await town.database.sql("select from ironforge.batches") == [])
      let wouldBe = try CSVFile(outcome)
      let result = try await town.run(
        "transfer", "batch", file, "--outcome", outcome, "--retry-file", retry, "--json")
      #expect(result.exitCode == 3 && result.stderr == "", "\(result)")
      let told = try CSVFile(outcome)
      #expect(told.header == ["line", "key", "code", "transfer_id", "message"])
      #expect(try told.column("line") == (2...15).map { "\($0)" })
      #expect(
        try told.column("code") == [
          "created", "created", "insufficient_funds", "exists", "key_reused_with_different_request",
          "destination_not_found", "source_not_found", "destination_not_found", "currency_not_found",
          "amount_invalid", "amount_precision_exceeded", "wallets_must_differ", "row_malformed", "created",
        ])
      #expect(told.without("transfer_id") == wouldBe.without("transfer_id"))
      #expect(Set(try wouldBe.column("transfer_id")) == [""], "what a rehearsal makes up is stored nowhere")
      let ids = try told.column("transfer_id")
      #expect(ids.filter { !$0.isEmpty }.count == 5 && ids[0] == ids[3])
      #expect(try told.column("message")[12] == "2 fields where the header has 6")
      #expect(
        try zip(told.column("code"), told.column("message")).allSatisfy {
          ["created", "exists"].contains($0) == $1.isEmpty
        })
      #expect(try await town.balance("main") == "0.00")
      #expect(try await town.balance("savings") == "10.00")
      #expect(try await stored(town).count == 4)
      for (key, value) in [
        ("rows", "14"), ("created", "3"), ("exists", "1"), ("rejected", "10"), ("dry_run", "false"),
      ] {
        #expect(try member(key, result) == value)
      }
      #expect(try member("by_code", result).hasPrefix(#"{"created":3,"destination_not_found":2,"#))

      let again = try CSVFile(retry)
      #expect(again.header == ["key", "kind", "from", "to", "amount", "currency", "ref", "expires", "memo"])
      #expect(try again.column("key").dropFirst() == ["b~2", "c~2", "d~2", "e~2"])
      #expect(try again.column("key")[0].hasSuffix(":000000004~2") && again.column("amount")[0] == "6.01")
    }
  }

  @Test func aRerunTellsWhatExistsAndMovesNothing() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let rows = (1...50).map { ",\(Self.bank),\(Self.main),\($0),USD,\n" }.joined()
      let file = try directory.write(Self.header + rows, to: "payouts.csv")
      let first = try await town.run("transfer", "batch", file, "--json", "--chunk-size", "7")
      #expect(first.exitCode == 0 && first.stderr == "", "\(first)")
      #expect(try member("created", first) == "50")
      let before = try await town.contents()
      let copy = try directory.write(Self.header + rows, to: "copy.csv")
      for path in [file, copy] {
        let again = try await town.run("transfer", "batch", path, "--json")
        #expect(again.exitCode == 0, "\(again)")
        #expect(try member("exists", again) == "50")
      }
      let rehearsed = try await town.run("transfer", "batch", file, "--json", "--dry-run")
      #expect(try member("exists", rehearsed) == "50")
      #expect(try await town.contents() == before)
    }
  }

  @Test func aRetryFileIsABatchOfItsOwn() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let file = try directory.write(
        "key,kind,from,to,amount,currency,ref\n"
          + "h,hold,\(Self.main),\(Self.savings),5,USD,\nc,capture,,,,,h\np,,\(Self.bank),\(Self.main),1,USD,\n",
        to: "f.csv")
      let (retry, second, outcome) = (
        directory.file("r.csv"), directory.file("s.csv"), directory.file("o.csv")
      )
      #expect(try await town.run("transfer", "batch", file, "--retry-file", retry, "-q").exitCode == 3)
      #expect(try CSVFile(retry).column("key") == ["h~2"])
      let still = try await town.run("transfer", "batch", retry, "--retry-file", second, "--outcome", outcome)
      #expect(still.exitCode == 3)
      #expect(try CSVFile(second).column("key") == ["h~3"])
      #expect(try await town.send("fund", "10").exitCode == 0)
      let done = try await town.run("transfer", "batch", second, "--outcome", outcome, "--retry-file", retry)
      #expect(done.exitCode == 0, "\(done)")
      #expect(try CSVFile(outcome).column("code") == ["created"] && CSVFile(retry).rows.isEmpty)
    }
  }

  @Test func standardInputAndNDJSONAreTheSame() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let outcome = directory.file("o.csv")
      let text = """
        {"key":"a","from":"\(Self.bank)","to":"\(Self.main)","amount":12.50,"currency":"USD"}

        {"from":"\(Self.main)","to":"\(Self.savings)","amount":"2.50","currency":"USD","memo":"é"}
        {"from":"\(Self.main)","to":"\(Self.savings)","amount":1e1,"currency":"USD"}
        nonsense
        """
      for _ in 0..<2 {
        let result = try await Ironforge.run(
          ["transfer", "batch", "-", "--outcome", outcome, "--json"],
          env: ["IRONFORGE_DATABASE_URL": town.database.url], stdin: text)
        #expect(result.exitCode == 3, "\(result)")
      }
      let told = try CSVFile(outcome)
      #expect(try told.column("code") == ["exists", "exists", "amount_invalid", "row_malformed"])
      #expect(try told.column("line") == ["1", "3", "4", "5"])
      #expect(try told.column("message")[3] == "column 1: expected a value")
      #expect(try await town.balance("main") == "10.00")
      // The same text under a name is the same batch.
      let file = try directory.write(text, to: "f.txt")
      let named = try await town.run("transfer", "batch", file, "--json")
      #expect(try member("exists", named) == "2")
    }
  }

  @Test(
    arguments: [
      ("nothing.csv", nil, "input_unreadable", "cannot read"),
      ("f.csv", "", "input_malformed", "f.csv:1: the header is missing"),
      ("f.csv", "from,to,amount,currency,when\n", "input_malformed", "f.csv:1: unknown column \"when\""),
      (
        "f.csv", "from,to,amount,currency\nA,B,1,USD\nA,B,\"1,USD\n", "input_malformed",
        "f.csv:3: a quoted field is not closed"
      ),
      ("f.json", "[{}]", "input_malformed", "a JSON array"),
      ("f.json", "{\n\"from\":1}", "input_malformed", "f.json:1: the first line is not a JSON object"),
    ] as [(String, String?, String, String)])
  func aFileThatCannotBeParsedMovesNoMoney(name: String, text: String?, code: String, message: String)
    async throws
  {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let text = text?.replacing("A,B", with: "\(Self.bank),\(Self.main)")
      let file = try text.map { try directory.write($0, to: name) } ?? directory.file(name)
      let before = try await town.contents()
      let result = try await town.run(
        "transfer", "batch", file, "--outcome", directory.file("o.csv"), "--json")
      #expect(result.exitCode == 65 && value("code", in: result.stderr) == code, "\(result)")
      #expect(result.stderr.replacing("\\\"", with: "\"").contains(message), "\(result.stderr)")
      #expect(access(directory.file("o.csv"), F_OK) != 0)
      #expect(try await town.contents() == before)
    }
  }

  @Test func refusedRowsAreListedWhereNoFileTellsThem() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let rows = (1...25).map { "k\($0),\(Self.main),\(Self.savings),1,USD,\n" }.joined()
      let file = try directory.write(Self.header + rows, to: "f.csv")
      let result = try await town.run("transfer", "batch", file, "--quiet")
      #expect(result.exitCode == 3)
      let lines = result.stderr.split(separator: "\n")
      #expect(lines.count == 21, "\(result.stderr)")
      #expect(
        lines.first == "warning: line 2: insufficient_funds: the source wallet has not enough available funds"
      )
      #expect(lines.last == "warning: and 5 more rows were refused; --outcome FILE tells all of them")
      #expect(result.stdout.contains("0 created, 0 existed, 25 refused"))
    }
  }

  @Test func anAtomicBatchIsAllOrNothing() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let outcome = directory.file("o.csv")
      #expect(try await town.send("before", "1").exitCode == 0)
      func file(_ last: String) throws -> String {
        try directory.write(
          Self.header + """
            before,\(Self.bank),\(Self.main),1,USD,
            a,\(Self.bank),\(Self.main),10,USD,
            a,\(Self.bank),\(Self.main),10,USD,
            ,\(Self.main),\(Self.savings),11,USD,
            ,\(Self.main),\(Self.savings),\(last),USD,
            """, to: "f.csv")
      }
      let before = try await town.contents()
      for isDryRun in [true, false] {
        let refused = try await town.run(
          ["transfer", "batch", try file("0.01"), "--atomic", "--outcome", outcome, "--json"]
            + (isDryRun ? ["--dry-run"] : []))
        #expect(refused.exitCode == 4 && value("code", in: refused.stderr) == "batch_aborted", "\(refused)")
        #expect(refused.stderr.contains("1 of the 5 rows was refused"))
        #expect(
          try CSVFile(outcome).column("code") == [
            "exists", "batch_aborted", "batch_aborted", "batch_aborted", "insufficient_funds",
          ])
        #expect(try CSVFile(outcome).column("transfer_id").filter { !$0.isEmpty }.count == 1)
        #expect(try member("rejected", refused) == "4" && member("aborted", refused) == "true")
        #expect(try await town.contents() == before)
        #expect(try await town.database.sql("select from ironforge.batches") == [])
      }
      // Nothing is recorded of the refusal either: with money there it succeeds under the same keys.
      #expect(try await town.send("more", "0.01").exitCode == 0)
      let wouldBe = try await town.run("transfer", "batch", try file("0.01"), "--atomic", "--dry-run")
      let done = try await town.run("transfer", "batch", try file("0.01"), "--atomic", "--outcome", outcome)
      #expect(wouldBe.exitCode == 0 && done.exitCode == 0, "\(done)")
      #expect(
        try CSVFile(outcome).column("code") == ["exists", "created", "exists", "created", "created"])
      #expect(try await town.balance("main") == "0.00")
      #expect(try await town.balance("savings") == "11.01")
      #expect(try await town.run("ledger", "verify").exitCode == 0)
    }
  }

  @Test func holdsCapturesVoidsAndReversalsAreRows() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let outcome = directory.file("o.csv")
      let file = try directory.write(
        """
        kind,key,ref,from,to,amount,currency,expires,memo
        capture,early,h1,,,,,,
        ,fund,,\(Self.bank),\(Self.main),100,USD,,
        hold,h1,,\(Self.main),\(Self.savings),30,USD,15m,
        hold,h2,,\(Self.main),\(Self.savings),30,USD,,
        hold,h3,,\(Self.main),\(Self.savings),50,USD,,
        capture,c1,h1,,,12.50,,,partly
        void,v2,h2,,,,,,
        capture,c2,h2,,,,,,
        reverse,r1,c1,,,2.50,,,
        reverse,r2,h1,,,10.01,,,
        reverse,r3,h1,,,10,,,
        capture,c1,h1,,,12.50,,,partly
        void,v9,nothing,,,,,,

        """, to: "f.csv")
      let codes = [
        "hold_not_found", "created", "created", "created", "insufficient_funds", "created", "created",
        "hold_not_pending", "created", "exceeds_reversible_amount", "created", "exists", "hold_not_found",
      ]
      let rehearsed = try await town.run("transfer", "batch", file, "--outcome", outcome, "--dry-run")
      #expect(rehearsed.exitCode == 3, "\(rehearsed)")
      #expect(try CSVFile(outcome).column("code") == codes)
      for size in ["3", "100"] {
        let result = try await town.run(
          "transfer", "batch", file, "--outcome", outcome, "--chunk-size", size)
        #expect(result.exitCode == 3, "\(result)")
        let told = try CSVFile(outcome)
        let expected = size == "3" ? codes : codes.map { $0 == "created" ? "exists" : $0 }
        // What a later row makes is there by now for a batch that is run again.
        #expect(try told.column("code").dropFirst() == expected.dropFirst())
        #expect(try told.column("code")[0] == (size == "3" ? "hold_not_found" : "hold_not_pending"))
        #expect(try told.column("transfer_id")[5] == told.column("transfer_id")[2])
      }
      #expect(try await town.balance("main") == "100.00")
      #expect(try await town.balance("savings") == "0.00")
      #expect(try await town.run("ledger", "verify").exitCode == 0)
    }
  }

  @Test func whatCannotBeMeantIsRefused() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let file = try directory.write(Self.header + "a,\(Self.bank),\(Self.main),1,USD,\n", to: "f.csv")
      for words in [
        ["--chunk-size", "0"], ["--chunk-size", "100001"], ["--outcome", "x", "--retry-file", "x"],
      ] {
        #expect(try await town.run(["transfer", "batch", file] + words).exitCode == 64, "\(words)")
      }
      let same = try await town.run(
        "transfer", "batch", file, "--outcome", directory.path + "/./f.csv", "--json")
      #expect(same.exitCode == 64 && value("code", in: same.stderr) == "output_is_input", "\(same)")
      let nowhere = try await town.run(
        "transfer", "batch", file, "--outcome", directory.file("no/o.csv"), "--json")
      #expect(nowhere.exitCode == 1 && value("code", in: nowhere.stderr) == "output_failed")
      let pipe = try await town.run("transfer", "batch", file, "--atomic", "--outcome", "/dev/null", "--json")
      #expect(pipe.exitCode == 64 && value("code", in: pipe.stderr) == "outcome_not_a_file")
      #expect(try await stored(town) == [])
      let shown = try await town.run("transfer", "batch", file, "--outcome", "/dev/stdout", "--quiet")
      #expect(
        shown.exitCode == 0 && shown.stdout.hasPrefix("line,key,code,transfer_id,message\r\n2,a,created,"))
      let silent = try await town.run("transfer", "batch", file, "--quiet")
      #expect(silent.exitCode == 0 && silent.stdout == "" && silent.stderr == "")
    }
  }

  @Test func progressIsToldInJSON() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let rows = (1...20).map { "k\($0),\(Self.bank),\(Self.main),1,USD,\n" }.joined()
      let file = try directory.write(Self.header + rows, to: "f.csv")
      let result = try await town.run("transfer", "batch", file, "--progress", "json", "--chunk-size", "3")
      let last = try #require(result.stderr.split(separator: "\n").last)
      #expect(
        last.contains(#""done":20,"total":20"#) && last.contains(#""finished":true"#), "\(result.stderr)")
    }
  }

  /// `[batch] chunk_size` counts where no option does.
  @Test func theConfiguredChunkSizeIsUsed() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let rows = (1...10).map { "k\($0),\(Self.bank),\(Self.main),1,USD,\n" }.joined()
      let file = try directory.write(Self.header + rows, to: "f.csv")
      let result = try await town.run("transfer", "batch", file, env: ["IRONFORGE_BATCH_CHUNK_SIZE": "4"])
      #expect(result.exitCode == 0)
      // The rows of a chunk are stored by one transaction.
      let chunks = try await town.database.sql("select count(distinct xmin::text) from transfers")
      #expect(chunks == [["3"]])
    }
  }

  /// Several batches run side by side, unless they say that they want to be alone.
  @Test func onlyWithLockWaitIsThereOneAtATime() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("batch")
      let file = try directory.write(Self.header + "a,\(Self.bank),\(Self.main),1,USD,\n", to: "f.csv")
      let (pipe, metrics) = (directory.file("pipe"), directory.file("batch.prom"))
      #expect(mkfifo(pipe, 0o600) == 0)
      let end = open(pipe, O_RDWR)
      let holder = try await Ironforge.start(
        ["transfer", "batch", pipe, "--lock-wait", "0"], env: ["IRONFORGE_DATABASE_URL": town.database.url])
      let held = "select from pg_locks where locktype = 'advisory' and granted"
      let deadline = Deadline.after(.seconds(30))
      while try await town.database.sql(held) == [], !deadline.hasPassed {
        try await Task.sleep(for: .milliseconds(10))
      }
      let busy = try await town.run("transfer", "batch", file, "--lock-wait", "0", "--json")
      #expect(busy.exitCode == 75 && value("code", in: busy.stderr) == "run_lock_busy", "\(busy)")
      let free = try await town.run("transfer", "batch", file, "--metrics-file", metrics, "--jitter", "0")
      #expect(free.exitCode == 0, "\(free)")
      let text = String(decoding: try contents(of: metrics), as: UTF8.self)
      #expect(
        text.contains(#"ironforge_last_run_items{command="transfer batch",file="batch.prom"} 1"#), "\(text)")
      // A pipe that stays silent can be left.
      try holder.signal(SIGTERM)
      let left = try await holder.finish()
      #expect(left.exitCode == 143, "\(left)")
      close(end)
    }
  }
}
