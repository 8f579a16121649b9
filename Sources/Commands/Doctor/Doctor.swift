import ArgumentParser
import Configuration
import Doctor
import Glibc
import Migrations
import Postgres
import Primitives

/// `ironforge doctor`.
struct DoctorCommand: CronCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract:
      "Go through the checklist of a wallet backend, with evidence and what mends each fault; exit 10 on any.",
    discussion: """
      Changes nothing, needs pg_monitor and no more, and works on a standby, through a pooler and without Redis. What cannot \
      be judged says why, and is no fault. A fix with "sql" is for psql on this database, one with "shell" for a shell. \
      With --quiet text has the faults alone, so that cron mails nothing else.

      AREAS: \(Check.Area.allCases.map(\.rawValue).joined(separator: ", "))

      EXAMPLES:
        ironforge doctor
        ironforge doctor --only database,server --quiet
        ironforge doctor --json | jq -r '.items[] | select(.ok | not) | .fix'
        ironforge doctor --cores 16 --disks 2 --processes 8
      """)

  @Option(help: ArgumentHelp("Only these areas.", valueName: "area,…"))
  var only: CheckAreas?

  @Option(
    help: ArgumentHelp(
      "Cores of the database's machine (default: this one's, where it is local).", valueName: "n"))
  var cores: Int?

  @Option(help: ArgumentHelp("Its disks that work at the same time.", valueName: "n"))
  var disks = 1

  @Option(help: ArgumentHelp("Processes of the backend that have a pool each.", valueName: "n"))
  var processes = 1

  @OptionGroup var source: MigrationSource
  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  var runName: String { "doctor" }
  /// It only reads: two do each other no harm.
  var lockName: String? { nil }

  /// No machine has more of anything.
  private static let countMax = 100_000

  func validate() throws {
    for (name, count) in [("cores", cores ?? 1), ("disks", disks), ("processes", processes)]
    where !(1...Self.countMax).contains(count) {
      throw ValidationError("--\(name) must be from 1 to \(Self.countMax).")
    }
  }

  func run(in context: CommandContext) throws {
    let areas = only?.areas ?? Set(Check.Area.allCases)
    let files = try migrationFiles()
    let session = try context.openCancellableSession()
    let url = areas.contains(.cache) ? try context.configuration().findRedis()?.value : nil
    let connector = try url.map { try context.redisConnector(url: $0) }
    let reader = CheckupReader(session, cluster: try context.clusterReader(session))
    let facts = try reader.read(
      migrations: files, redis: connector.map { connect in { try connect(.seconds(3600)) } },
      settings: try settings(context), shouldStop: context.signals.check)
    let items = Checkup(facts).items(areas)
    context.itemCount = Int64(items.count)
    let view = CheckupView(items: items, hasOnlyFaults: global.isQuiet)
    try context.output.render(view, isSuccess: view.isOK)
    if !view.isOK { throw ExitCode(.found) }
  }

  /// Nil where none are found and nobody has named a place.
  private func migrationFiles() throws -> [MigrationFile]? {
    do {
      return try source.files()
    } catch let failure as SimpleFailure
      where failure.code == "directory_not_found" && source.directory == nil
    {
      return nil
    }
  }

  private func settings(_ context: CommandContext) throws -> ClientSettings {
    let values = try context.configuration().values
    var settings = ClientSettings()
    settings.connectionsMax = values.database.maxConnections
    settings.processes = processes
    settings.cores = cores
    settings.localCores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    settings.disks = disks
    settings.l1Capacity = values.cache.l1MaxCapacity
    settings.l1Seconds = values.cache.l1TimeToLiveSeconds
    settings.l1IdleSeconds = values.cache.l1TimeToIdleSeconds
    settings.l2Seconds = values.cache.l2TTLSeconds
    settings.warmupSeconds = values.cache.warmupTTLSeconds
    settings.hitRateMin = values.targets.cacheHitRate
    settings.p95Milliseconds = values.targets.p95Milliseconds
    return settings
  }
}

/// Areas on a command line: `database,server`.
struct CheckAreas: ExpressibleByArgument {
  let areas: Set<Check.Area>

  init?(argument: String) {
    var areas: Set<Check.Area> = []
    for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let area = Check.Area(rawValue: String(name)) else { return nil }
      areas.insert(area)
    }
    self.areas = areas
  }

  static var allValueStrings: [String] { Check.Area.allCases.map(\.rawValue) }
}
