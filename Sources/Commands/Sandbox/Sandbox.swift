import ArgumentParser
import Primitives
import Sandbox

/// `ironforge sandbox`.
struct SandboxCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sandbox",
    abstract: "A private PostgreSQL and Redis in this directory, to try things out.",
    discussion: """
      The servers live under .ironforge/ and listen on Unix sockets only. Commands that are run in this directory \
      use them when no other database is configured.

      EXAMPLES:
        ironforge sandbox up
        eval "$(ironforge sandbox env)"
        ironforge sandbox down
      """,
    subcommands: [
      SandboxUp.self, SandboxDown.self, SandboxStatusCommand.self, SandboxEnv.self, SandboxReset.self,
    ])
}

/// A sandbox as it is printed.
struct SandboxView: Renderable {
  let status: SandboxStatus

  var json: JSON {
    [
      "directory": .string(status.directory), "running": .bool(status.isRunning),
      "database_url": .optional(status.addresses?.databaseURL),
      "redis_url": .optional(status.addresses?.redisURL),
      "servers": .array(
        status.servers.map { server in
          [
            "server": .string(server.server.rawValue), "running": .bool(server.isRunning),
            "pid": server.processID.map { .integer(Int64($0)) } ?? .null, "socket": .string(server.socket),
            "data": .string(server.data), "log": .string(server.log),
          ]
        }),
    ]
  }

  private var rows: [[String]] {
    status.servers.map { server in
      [
        server.server.rawValue, server.isRunning ? "running" : "stopped",
        server.processID.map { String($0) } ?? "", server.socket, server.log,
      ]
    }
  }

  var text: String {
    status.servers.isEmpty
      ? "This directory has no sandbox; make one with `ironforge sandbox up`."
      : table(["server", "state", .number("pid"), "socket", "log"], rows)
  }

  var csv: (header: [String], rows: [[String]]) { (["server", "state", "pid", "socket", "log"], rows) }
}
