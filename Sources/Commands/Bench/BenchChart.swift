import HTML

/// A chart as inline SVG whose lines stretch with the page; its labels are text of the page, so that they stay readable on a
/// telephone.
struct BenchChart {
  /// A mark on an axis.
  struct Tick {
    /// 0 to 1.
    let place: Double
    let label: String
  }

  /// Points from left to right, both coordinates from 0 to 1; nil is a gap.
  struct Line {
    /// The class that colours it.
    let style: String
    let points: [(x: Double, y: Double)?]
  }

  /// A column that stands on the axis.
  struct Column {
    let style: String
    let from: Double
    let to: Double
    let height: Double
    /// Shown when it is pointed at.
    var title = ""
  }

  /// What it shows, for those who cannot see it.
  let label: String
  var columns: [Column] = []
  var lines: [Line] = []
  var xTicks: [Tick] = []
  var yTicks: [Tick] = []
  /// Vertical lines with a text at their head.
  var marks: [Tick] = []

  private static let width = 1000.0
  private static let height = 300.0

  var html: HTML {
    """
    <div class="chart" role="img" aria-label="\(label)">
    <svg viewBox="0 0 1000 300" preserveAspectRatio="none" aria-hidden="true">\(grid)\(HTML(columns.map(shape)))\(HTML(lines.map(shape)))\(overlay)</svg>
    \(HTML(yTicks.map { "<span class=\"y\" style=\"bottom:\(Self.percent($0.place))%\">\($0.label)</span>" }))
    \(HTML(xTicks.map { "<span class=\"x\" style=\"left:\(Self.percent($0.place))%\">\($0.label)</span>" }))
    \(HTML(marks.map { "<span class=\"mark\" style=\"left:\(Self.percent($0.place))%\">\($0.label)</span>" }))
    </div>
    """
  }

  private var grid: HTML {
    let across = yTicks.map { tick -> HTML in
      let y = Self.number((1 - tick.place) * Self.height)
      return "<path class=\"grid\" d=\"M0 \(y)H1000\"/>"
    }
    let down = marks.map { mark -> HTML in
      "<path class=\"edge\" d=\"M\(Self.number(mark.place * Self.width)) 0V300\"/>"
    }
    return HTML(across + down)
  }

  private func shape(_ column: Column) -> HTML {
    let height = max(0, min(1, column.height)) * Self.height
    return """
      <rect class="\(column.style)" x="\(Self.number(column.from * Self.width))" y="\(Self.number(Self.height - height))" \
      width="\(Self.number(max(0.5, (column.to - column.from) * Self.width - 0.5)))" height="\(Self.number(height))"/>
      """
  }

  /// What is pointed at: the whole height of a column, above the lines.
  private var overlay: HTML {
    HTML(
      columns.filter { !$0.title.isEmpty }.map { column -> HTML in
        """
        <rect class="point" x="\(Self.number(column.from * Self.width))" y="0" \
        width="\(Self.number((column.to - column.from) * Self.width))" height="300"><title>\(column.title)</title></rect>
        """
      })
  }

  private func shape(_ line: Line) -> HTML {
    var path = ""
    var isDrawing = false
    for point in line.points {
      guard let point else {
        isDrawing = false
        continue
      }
      let (x, y) = (point.x * Self.width, (1 - max(0, min(1, point.y))) * Self.height)
      // A line of no length is a dot, for a point that stands alone.
      path += "\(isDrawing ? "L" : "M")\(Self.number(x)) \(Self.number(y))\(isDrawing ? "" : "h0")"
      isDrawing = true
    }
    return "<path class=\"line \(line.style)\" d=\"\(path)\"/>"
  }

  /// Round marks from 0 to the first above `most`, at least two of them.
  static func ticks(upTo most: Double, _ label: (Double) -> String) -> (ticks: [Tick], top: Double) {
    guard most > 0, most.isFinite else { return ([Tick(place: 0, label: label(0))], 1) }
    var unit = 1.0
    while unit * 10 <= most { unit *= 10 }
    while unit > most { unit /= 10 }
    let step = [0.2, 0.5, 1, 2].map { $0 * unit }.first { most / $0 <= 5 } ?? 2 * unit
    let count = max(1, Int((most / step).rounded(.up)))
    let top = Double(count) * step
    return ((0...count).map { Tick(place: Double($0) / Double(count), label: label(Double($0) * step)) }, top)
  }

  /// A number for people, three digits or its whole part.
  static func short(_ value: Double) -> String {
    let magnitude = abs(value)
    let scale: Double = magnitude >= 100 ? 1 : magnitude >= 10 ? 10 : magnitude >= 1 ? 100 : 1000
    return BenchView.rounded((value * scale).rounded() / scale)
  }

  /// Two digits after the point at most.
  private static func number(_ value: Double) -> String { BenchView.rounded((value * 100).rounded() / 100) }

  private static func percent(_ share: Double) -> String { number(share * 100) }
}
