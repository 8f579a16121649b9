import Configuration
import Testing

@Suite struct RedactionTests {
  @Test(arguments: [
    ("postgresql://u:p@h:5432/db", "postgresql://u:***@h:5432/db"),
    ("postgres://u:p%40x@h/db?sslmode=require", "postgres://u:***@h/db?sslmode=require"),
    ("postgresql://u@h/db", "postgresql://u@h/db"),
    ("postgresql:///db?host=/run/x", "postgresql:///db?host=/run/x"),
    (
      "postgresql://u:p@a:1,b:2,[::1]:3/db?target_session_attrs=primary",
      "postgresql://u:***@a:1,b:2,[::1]:3/db?target_session_attrs=primary"
    ),
    (
      "postgresql://h/db?user=u&password=p&sslpassword=q",
      "postgresql://h/db?user=u&password=***&sslpassword=***"
    ),
    ("postgresql://h/db?pass%77ord=p", "postgresql://h/db?pass%77ord=***"),
    ("postgresql://h/db?PASSWORD=p&x=password%3Dp", "postgresql://h/db?PASSWORD=***&x=***"),
    ("postgresql://u:p:q@r@h/db", "postgresql://u:***@h/db"),
    ("redis://:p@h:6379/0", "redis://:***@h:6379/0"),
    ("redis://p@h", "redis://***@h"),
    ("redis://h:6379", "redis://h:6379"),
    ("unix:///run/redis.sock?db=0&password=p", "unix:///run/redis.sock?db=0&password=***"),
    ("host=h password=p dbname=d", "host=h password=*** dbname=d"),
    ("host = h password = 'p \\' q' user='a b'", "host=h password=*** user='a b'"),
    ("host=h password=p\\ q user=u", "host=h password=*** user=u"),
    ("passfile=/x/.pgpass sslpassword=p", "passfile=/x/.pgpass sslpassword=***"),
    ("dbname=postgresql://u:p@h/d", "dbname=***"),
    ("", ""),
  ])
  func passwordsAreHiddenAndTheRestIsKept(url: String, shown: String) {
    #expect(redacted(url) == shown)
  }

  @Test(arguments: [
    "postgresql://u:secret", "postgresql://u:sec/ret@h/db", "postgresql://u:sec?ret@h", "secret",
    "host=h password='secret", "host=h password=a secret", "mysql://u:secret@h",
    "postgresql://h/password=secret",
    "postgresql://u:%zzsecret@h/%zz", "postgresql://h/db?secret", "password=secret\u{0}", "=secret",
    "://secret",
    "postgresql://[secret", "postgresql://h/db?a=%secret",
  ])
  func whatCannotBeReadIsHiddenWhole(url: String) {
    #expect(redacted(url) == "<redacted>")
  }

  @Test func aPasswordOfAnyCharactersNeverShows() {
    // Every printable character at every place of a password, unescaped, as people paste them.
    for byte in UInt8(0x21)...0x7E {
      let odd = String(Unicode.Scalar(byte))
      for password in ["\(odd)HUSH", "HU\(odd)SH", "HUSH\(odd)"] {
        for url in [
          "postgresql://u:\(password)@h/db", "redis://:\(password)@h:1/0",
          "host=h password=\(password) user=u",
          "postgresql://h/db?password=\(password)",
        ] {
          let shown = redacted(url)
          #expect(!shown.contains("HU") && !shown.contains("SH"), "\(url) → \(shown)")
        }
      }
    }
  }
}
