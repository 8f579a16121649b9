import Configuration
import Testing

@Suite struct SuggestionTests {
  @Test(arguments: [
    ("chunksize", "chunk_size"), ("chunk_szie", "chunk_size"), ("CHUNK_SIZE", "chunk_size"), ("urk", "url"),
    ("lru", nil), ("xyz", nil), ("", nil), (String(repeating: "c", count: 10_000), nil),
  ])
  func theNearestIsSuggestedOnlyWhenItIsNear(word: String, expected: String?) {
    #expect(nearest(to: word, among: ["url", "chunk_size", "concurrency"]) == expected)
  }
}
