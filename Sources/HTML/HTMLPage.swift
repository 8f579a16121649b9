/// A page that stands on its own: no script, no font, no picture from elsewhere; light and dark as the reader's system is, and
/// readable on a telephone.
public struct HTMLPage: Sendable {
  public var title: String
  /// Rules beyond the frame's own; they may use its colours (`var(--ink)`, …).
  public var style: String
  public var body: HTML

  public init(title: String, style: String = "", body: HTML) {
    self.title = title
    self.style = style
    self.body = body
  }

  /// The document, as UTF-8.
  public var document: [UInt8] {
    let page: HTML = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
      <title>\(title)</title>
      <style>\(HTML(stringLiteral: Self.frame + style))</style>
      </head>
      <body>
      <main>
      \(body)
      </main>
      </body>
      </html>

      """
    return Array(page.description.utf8)
  }

  private static let frame = """
    :root {
      --ground: #fcfcfb; --panel: #f3f2ef; --line: #d9d7d0; --ink: #1c1b19; --faint: #67645d;
      --accent: #1f5fa8; --good: #2a7a3b; --warn: #9a5b00; --bad: #b3261e;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --ground: #161615; --panel: #21211f; --line: #3a3935; --ink: #eceae4; --faint: #a09d94;
        --accent: #7fb2ec; --good: #7cc68b; --warn: #e0a850; --bad: #f2887f;
      }
    }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
    main { max-width: 1120px; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
    h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
    h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
    p { margin: .4rem 0; max-width: 75ch; }
    a { color: var(--accent); }
    code, pre { font: .86em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
    pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem;
      white-space: pre-wrap; overflow-wrap: anywhere; }
    table { border-collapse: collapse; width: 100%; font-size: .93rem; }
    th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
    th { color: var(--faint); font-weight: 600; }
    .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
    .faint { color: var(--faint); }
    .scroll { overflow-x: auto; }

    """
}
