import Testing

@testable import WalletCache

@Suite struct AuditTallyTests {
  private func finding(_ key: String, _ kind: AuditFinding.Kind) -> AuditFinding {
    AuditFinding(key: key, kind: kind, cause: .rowDeleted, ageMilliseconds: nil, timeLeft: nil)
  }

  @Test func aKeyThatAScanRepeatsCountsOnce() {
    var tally = AuditTally()
    // More than are listed, so that the list alone cannot tell.
    for _ in 1...2 {
      for number in 0..<250 { tally.add(finding("user:\(number)", .orphaned), isRepeatable: true) }
    }
    #expect(tally.checked == 250 && tally.counts == [.orphaned: 250])
    #expect(tally.findings.count == 100 && tally.unlisted == 150)
    // A walk over rows finds others.
    tally.add(finding("user:row", .missing), isRepeatable: false)
    #expect(tally.checked == 251 && tally.counts[.missing] == 1)
  }
}
