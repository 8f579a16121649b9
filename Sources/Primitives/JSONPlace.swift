/// A step from a JSON value to one that it holds.
public enum JSONStep: Sendable, Equatable {
  case member(String)
  /// Counted from 0.
  case element(Int)
}

extension JSONError {
  /// An error at a value that was read before and turned out to be wrong. A tree keeps no places: the text is gone through once
  /// more.
  ///
  /// - Parameters:
  ///   - path: from the document to the value; where it leads nowhere, the place is the end of what it leads through.
  ///   - bytes: the document.
  public init(_ reason: String, at path: [JSONStep], in bytes: [UInt8]) {
    var scanner = JSONScanner(bytes)
    do throws(JSONError) {
      try scanner.walk(path)
      self = scanner.error(reason)
    } catch {
      // The text is no JSON from there on; that is the more important error.
      self = error
    }
  }
}

extension JSONScanner {
  /// Goes to the first token of the value that `path` leads to.
  fileprivate mutating func walk(_ path: [JSONStep]) throws(JSONError) {
    var token = try next()
    for step in path {
      guard let inner = try descend(from: token, step) else { return }
      token = inner
    }
  }

  /// The first token of a member or element of the value that `token` begins; nil where it has none.
  private mutating func descend(from token: Token?, _ step: JSONStep) throws(JSONError) -> Token? {
    switch (token, step) {
    case (.beginObject?, .member(let name)):
      while let key = try next(), key == .key {
        let isWanted = string == name
        let value = try next()
        if isWanted { return value }
        try skip(value)
      }
    case (.beginArray?, .element(let index)):
      var place = 0
      while let value = try next(), value != .endArray {
        if place == index { return value }
        place += 1
        try skip(value)
      }
    default: break
    }
    return nil
  }

  /// Goes to the end of the value that `token` begins.
  private mutating func skip(_ token: Token?) throws(JSONError) {
    var depth = 0
    var token = token
    while let now = token {
      switch now {
      case .beginArray, .beginObject: depth += 1
      case .endArray, .endObject: depth -= 1
      default: break
      }
      if depth == 0 { return }
      token = try next()
    }
  }
}
