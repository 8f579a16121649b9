internal import Primitives

/// Entity tags: RFC 9110 sections 8.8.3 and 13.1.2.
enum EntityTag {
  /// The tag of a body. Weak, because a compressed body has it too.
  static func of(_ body: [UInt8]) -> String {
    "W/\"\(SHA256.digest(of: body).description.prefix(32))\""
  }

  /// Whether one of the tags of `If-None-Match` is `tag`, by the weak comparison.
  static func matches(_ fields: [String], _ tag: String) -> Bool {
    let wanted = opaque(tag[...])
    return fields.contains { field in
      field.split(separator: ",").contains { item in
        let item = item.trimmed
        return item == "*" || opaque(item) == wanted
      }
    }
  }

  private static func opaque(_ tag: Substring) -> Substring { tag.hasPrefix("W/") ? tag.dropFirst(2) : tag }
}
