#!/usr/bin/env python3
"""Draws a flame graph of `perf script`'s output: an SVG file that stands on its own.

    perf script --no-inline | swift demangle --simplified | flamegraph.py [--title TEXT] >out.svg
    … | flamegraph.py --folded                       the stacks with their samples, a line each, as other tools read them

The width of a box is the part of the samples in which the function was on the stack. A click shows one box and what it
calls at full width, another one on the lowest box everything again.
"""
import argparse
import collections
import html
import re
import sys

ROW = 18
# Boxes narrower than this part of the whole are left out: nobody could read them.
SHARE_MIN = 0.001

FRAME = re.compile(r"^\s+[0-9a-f]+ (.*) \(([^()]*(?:\([^()]*\))?)\)\s*$")
OFFSET = re.compile(r"\+0x[0-9a-f]+$")


def stacks(lines):
    """Yields (command, [(function, library)…]) for each sample, the outermost function first."""
    command, frames = None, []
    for line in lines:
        if not line.strip():
            if command is not None:
                yield command, frames[::-1]
            command, frames = None, []
        elif line[0].isspace():
            match = FRAME.match(line)
            if match:
                frames.append(frame(OFFSET.sub("", match[1]), match[2]))
        elif not line.startswith("#"):
            command, frames = line.split()[0], []
    if command is not None:
        yield command, frames[::-1]


def frame(name, library):
    library = library.rsplit("/", 1)[-1]
    if name in ("[unknown]", ""):
        name = library if library.startswith("[") else f"[{library}]"
    return name, library


def kind(name, library, program):
    if "kernel" in library or library.startswith("[vdso"):
        return "kernel"
    if "libswift" in library or name.startswith(("swift_", "swift::", "_swift")):
        return "swift"
    return "own" if library == program else "library"


class Node:
    def __init__(self):
        self.samples = 0
        self.library = ""
        self.callees = {}


def tree(samples):
    root = Node()
    for command, frames in samples:
        root.samples += 1
        node = root
        for name, library in [(command, command)] + frames:
            node = node.callees.setdefault(name, Node())
            node.samples += 1
            node.library = library
    return root


def boxes(root):
    """Yields (depth, start, node, name), start in samples."""
    waiting = [(0, 0, root, "all")]
    while waiting:
        depth, start, node, name = waiting.pop()
        if node.samples < SHARE_MIN * root.samples:
            continue
        yield depth, start, node, name
        for callee in sorted(node.callees):
            waiting.append((depth + 1, start, node.callees[callee], callee))
            start += node.callees[callee].samples


STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1b1b1b; pointer-events: none }
.page { fill: #fff } .head, .note { fill: #333 } .head { font-size: 15px; font-weight: 600 }
rect.own { fill: #f4a261 } rect.swift { fill: #f2d06b } rect.library { fill: #8ecae6 } rect.kernel { fill: #c9c9c9 }
rect.all { fill: #e8e4dc } .thin text { display: none } .box { cursor: pointer } .box rect { stroke: #fff; stroke-width: .5 }
.box:hover rect { stroke: #000; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  .page { fill: #17181a } .head, .note { fill: #ddd } .box rect { stroke: #17181a } .box:hover rect { stroke: #fff }
  rect.own { fill: #d98245 } rect.swift { fill: #c9a63c } rect.library { fill: #5fa3c4 } rect.kernel { fill: #8d8d8d }
  rect.all { fill: #a9a59d }
}
"""

SCRIPT = """
const boxes = [...document.querySelectorAll('.box')];
function show(from, width) {
  for (const box of boxes) {
    const start = +box.dataset.start, samples = +box.dataset.samples;
    const left = Math.max(start, from), right = Math.min(start + samples, from + width);
    box.style.display = right > left ? '' : 'none';
    box.classList.toggle('thin', (right - left) / width < 0.01);
    box.setAttribute('x', (left - from) / width * 100 + '%');
    box.setAttribute('width', Math.max(0, right - left) / width * 100 + '%');
  }
}
for (const box of boxes) box.addEventListener('click', () => show(+box.dataset.start, +box.dataset.samples));
"""


def draw(root, program, title):
    found = list(boxes(root))
    height = (max(depth for depth, *_ in found) + 1) * ROW
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="{height + 64}" role="img">',
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>",
        '<rect class="page" width="100%" height="100%"/>',
        f'<text class="head" x="8" y="22">{html.escape(title)}</text>',
        f'<text class="note" x="8" y="42">{root.samples} samples. Orange: {html.escape(program)}; yellow: Swift\'s '
        "library; blue: C libraries; grey: kernel. A click enlarges.</text>",
    ]
    for depth, start, node, name in found:
        share = node.samples / root.samples
        label = html.escape(name)
        out.append(
            f'<svg class="box{"" if share >= 0.01 else " thin"}" data-start="{start}" data-samples="{node.samples}" '
            f'x="{start / root.samples:.5%}" width="{share:.5%}" y="{54 + height - (depth + 1) * ROW}" height="{ROW}">'
            f'<title>{label}\n{node.samples} samples, {share:.1%} ({html.escape(node.library)})</title>'
            f'<rect class="{"all" if depth < 2 else kind(name, node.library, program)}" width="100%" height="{ROW}" rx="2"/>'
            f'<text x="4" y="13">{label}</text></svg>')
    out.append(f"<script><![CDATA[{SCRIPT}]]></script></svg>")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folded", action="store_true", help="print stacks and samples instead")
    parser.add_argument("--title", default="Flame graph", help="what was measured")
    parser.add_argument("--program", default="ironforge", help="the program whose own functions stand out")
    options = parser.parse_args()
    samples = list(stacks(sys.stdin))
    if not samples:
        sys.exit("flamegraph: there are no samples in the input; is it the output of perf script?")
    if options.folded:
        lines = collections.Counter(";".join([command] + [name for name, _ in frames]) for command, frames in samples)
        for stack in sorted(lines):
            print(stack, lines[stack])
    else:
        sys.stdout.write(draw(tree(samples), options.program, options.title))


main()
