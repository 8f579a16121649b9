internal import CLibpq

/// A libpq connection string (URI or keywords), checked and taken apart.
///
/// The empty string means what it means to libpq: `PG*` variables and the service file.
public struct ConnectionString: Sendable {
  let parameters: [(keyword: String, value: String)]

  /// - Throws: `PostgresError.malformedConnectionString`. libpq's own message is not repeated, and values that
  ///   tell of a password with characters that should have been percent-encoded are refused here, because
  ///   libpq would later print them as part of a host name or a port.
  public init(_ text: String) throws(PostgresError) {
    if text.utf8.contains(0) { throw .malformedConnectionString("it holds a NUL character") }
    guard let options = PQconninfoParse(text, nil) else {
      throw .malformedConnectionString("libpq cannot parse it")
    }
    defer { PQconninfoFree(options) }
    var parameters: [(keyword: String, value: String)] = []
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val {
        parameters.append((String(cString: keyword), String(cString: value)))
      }
      option += 1
    }
    self.parameters = parameters
    let isURI = text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
    for (keyword, value) in parameters {
      let looksWrong =
        switch keyword {
        case "port": value.contains { !($0.isASCII && $0.isNumber) && $0 != "," }
        case "host", "dbname": isURI && value.contains("@")
        default: false
        }
      if looksWrong {
        throw .malformedConnectionString("its \(keyword) is not one; a password may need percent-encoding")
      }
    }
  }

  /// The value of a keyword that the string gives, such as `dbname`.
  public func value(of keyword: String) -> String? {
    parameters.last { $0.keyword == keyword }?.value
  }
}
