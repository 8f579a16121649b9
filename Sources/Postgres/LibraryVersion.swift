internal import CLibpq

/// The version of libpq that runs, such as `15.18`.
public var libraryVersion: String {
  let number = PQlibVersion()
  return "\(number / 10_000).\(number % 10_000)"
}
