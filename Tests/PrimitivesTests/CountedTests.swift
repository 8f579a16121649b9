import Primitives
import Testing

@Suite struct CountedTests {
  @Test func oneIsNotMany() {
    #expect(counted(1, "scan") == "1 scan" && counted(0, "scan") == "0 scans")
    #expect(counted(1, "index needs", "indexes need") == "1 index needs")
    #expect(counted(2, "index needs", "indexes need") == "2 indexes need")
  }

  @Test func namesStandBeforeTheirVerb() {
    #expect(listed([], "holds", "hold") == "nobody holds")
    #expect(listed(["a"], "holds", "hold") == "a holds")
    #expect(listed(["a", "b"], "holds", "hold") == "a and b hold")
    #expect(listed(["a", "b", "c"], "holds", "hold") == "a, b and c hold")
    #expect(listed(["a, since noon", "b", "c"], "holds", "hold") == "a, since noon; b and c hold")
  }
}
