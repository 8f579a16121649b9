import Glibc

/// Where the parts of one sandbox lie.
///
/// The place is `.ironforge/sandbox` in the directory. Sockets move to a short directory in `/tmp` when their path
/// would not fit into `sockaddr_un` (108 bytes with the final zero; unix(7)). Everything moves there when the
/// servers' user cannot enter the directory (root's home has mode 700), or when the path holds a character that
/// libpq, the shell of `pg_ctl` or a configuration file would read as syntax.
struct Layout: Sendable, Equatable {
  /// Data and logs; mode 0700, owned by the servers' user, so `trust` on a socket inside is safe.
  let home: String
  /// The sockets; equally private.
  let sockets: String

  static let socketPathLimit = 107
  static let postgresPort = 5432

  var postgresData: String { home + "/postgres" }
  var postgresLog: String { home + "/postgres.log" }
  var postgresSocket: String { sockets + "/.s.PGSQL.\(Self.postgresPort)" }
  var redisDirectory: String { home + "/redis" }
  var redisLog: String { home + "/redis.log" }
  var redisSocket: String { sockets + "/redis.sock" }

  /// `directory` is absolute and resolved; `.ironforge` exists in it already.
  static func choose(for directory: String, account: ServerAccount) -> Layout {
    let parent = directory == "/" ? "/.ironforge" : directory + "/.ironforge"
    let near = parent + "/sandbox"
    let far = "/tmp/ironforge-\(account.userID)-\(digest(directory))"
    guard account.canReach(parent), near.utf8.allSatisfy(isPlain) else {
      return Layout(home: far, sockets: far + "/run")
    }
    let layout = Layout(home: near, sockets: near + "/run")
    return layout.postgresSocket.utf8.count <= socketPathLimit
      ? layout : Layout(home: near, sockets: far)
  }

  /// Makes the directories, private to `account`.
  func create(account: ServerAccount) throws(SandboxFailure) {
    for path in [home, sockets, redisDirectory] {
      try Files.makeDirectory(path, mode: 0o700, owner: account)
    }
  }

  // A comma parts hosts in libpq, the others are syntax to a shell or a configuration file.
  private static func isPlain(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte != 0x7F && !"\"'`$\\,*?[]{}()<>|;&!#%=~".utf8.contains(byte)
  }

  /// FNV-1a, 64 bits: short, and the same in every run, which `Hasher` is not. Collisions are harmless: the
  /// owner is checked and the state file decides.
  private static func digest(_ text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
