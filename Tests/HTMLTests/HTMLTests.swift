import Testing

@testable import HTML

struct HTMLTests {
  @Test func escapesWhatIsInterpolated() {
    let name = "<script>alert('\"&\u{0}\u{1B}')</script>"
    let cell: HTML = "<td title=\"\(name)\">\(HTML("<b>1</b>")) \(2)</td>"
    #expect(
      cell.description
        == "<td title=\"&lt;script&gt;alert(&#39;&quot;&amp;\u{FFFD}\u{FFFD}&#39;)&lt;/script&gt;\"><b>1</b> 2</td>"
    )
  }

  @Test func aPageStandsOnItsOwn() {
    let page = String(decoding: HTMLPage(title: "a < b", body: "<h1>x</h1>").document, as: UTF8.self)
    #expect(page.contains("<title>a &lt; b</title>"))
    #expect(page.contains("<h1>x</h1>"))
    #expect(!page.contains("<script"))
    #expect(!page.contains("src="))
    #expect(!page.contains("http://") && !page.contains("https://"))
  }
}
