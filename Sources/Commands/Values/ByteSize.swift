/// A size for people, three digits at most: `812 B`, `1.5 MB`, `24 GB`. A kB is 1024 bytes, as PostgreSQL counts.
func humanSize(bytes: Int64) -> String {
  let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
  var unit = 0
  // Tenths, rounded half up at the last step only.
  var scale: UInt64 = 1
  let size = bytes.magnitude
  while size / scale >= 1024, unit < units.count - 1 {
    scale *= 1024
    unit += 1
  }
  let sign = bytes < 0 ? "-" : ""
  if unit == 0 { return "\(sign)\(size) B" }
  let whole = size / scale
  let tenths = (size % scale / (scale / 1024) * 10 + 512) / 1024
  if whole >= 10 { return "\(sign)\(whole + (tenths >= 5 ? 1 : 0)) \(units[unit])" }
  return tenths == 10
    ? "\(sign)\(whole + 1).0 \(units[unit])" : "\(sign)\(whole).\(tenths) \(units[unit])"
}
