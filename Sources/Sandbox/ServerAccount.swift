import Glibc

/// The user who runs the servers: the caller, or, when the caller is root, an unprivileged user, since PostgreSQL
/// refuses to run as root.
struct ServerAccount: Sendable, Equatable {
  let userID: uid_t
  let groupID: gid_t
  /// Whether the account is not the caller's own.
  let isOther: Bool

  static func current() throws(SandboxFailure) -> ServerAccount {
    let caller = geteuid()
    guard caller == 0 else {
      return ServerAccount(userID: caller, groupID: getegid(), isOther: false)
    }
    for name in ["postgres", "nobody"] {
      if let entry = getpwnam(name), entry.pointee.pw_uid != 0 {
        return ServerAccount(userID: entry.pointee.pw_uid, groupID: entry.pointee.pw_gid, isOther: true)
      }
    }
    throw .noUnprivilegedUser
  }

  /// The account as options of setpriv(1).
  var identity: [String] { ["--reuid=\(userID)", "--regid=\(groupID)"] }

  /// Whether the account may pass through every directory of an absolute path, by owner, group and mode. Access
  /// control lists are not read: where they matter, the servers live in `/tmp`, which is always right.
  func canReach(_ path: String) -> Bool {
    guard isOther else { return true }
    var prefix = ""
    for component in [""] + path.split(separator: "/").map(String.init) {
      prefix += component.isEmpty ? "" : "/" + component
      var status = stat()
      guard stat(prefix.isEmpty ? "/" : prefix, &status) == 0 else { return false }
      let wanted: mode_t =
        status.st_uid == userID ? S_IXUSR : status.st_gid == groupID ? S_IXGRP : S_IXOTH
      guard status.st_mode & wanted != 0 else { return false }
    }
    return true
  }
}
