"""Runs a session in a pseudo-terminal and draws it as an SVG that refers to nothing outside itself.

    record-session.py DIRECTORY-OF-IRONFORGE FILE.svg
"""

import fcntl
import glob
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time

from rich.console import Console
from rich.text import Text

COLUMNS = 112
SECONDS_MAX = 120

# What comes first is not shown: it makes the place.
BEFORE = [
    "ironforge sandbox up --quiet",
    "ironforge migrate up --quiet",
    "ironforge fixtures load --quiet",
    "printf '%s\\n' from,to,amount,currency,memo"
    " ada@example.com/main,bob@example.com/main,3.20,USD,October"
    " bob@example.com/main,ada@example.com/main,999999,USD,slip"
    " ada@example.com/main,bob@example.com/main,1.05,USD,November >payouts.csv",
    'eval "$(ironforge sandbox env)"; psql -qX "$IRONFORGE_DATABASE_URL"'
    " -c 'create index one_too_many on transactions (wallet_id)'",
]
SHOWN = [
    "ironforge transfer --from ada@example.com/main --to bob@example.com/main \\\n"
    "    --amount 12.50 --currency USD --key lunch-1",
    "ironforge transfer --from ada@example.com/main --to bob@example.com/main \\\n"
    "    --amount 99999999 --currency USD --key rich-1",
    "ironforge transfer batch payouts.csv --outcome outcome.csv",
    "ironforge ledger verify",
    "ironforge cache warmup",
    "ironforge cache audit --all",
    "ironforge index audit --only redundant,duplicate",
]
AFTER = ["ironforge sandbox down --quiet"]


def run(command, place, environment):
    """What the terminal shows of a command, as bytes with their escape sequences, and its exit code."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    child = subprocess.Popen(
        ["sh", "-c", command], cwd=place, env=environment, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    shown, end = b"", time.monotonic() + SECONDS_MAX
    while True:
        ready, _, _ = select.select([leader], [], [], max(0, end - time.monotonic()))
        if not ready:
            child.kill()
            sys.exit(f"record-session: {command} took more than {SECONDS_MAX} s")
        try:
            part = os.read(leader, 65536)
        except OSError:  # the end of a pseudo-terminal
            break
        if not part:
            break
        shown += part
    os.close(leader)
    return shown.decode(), child.wait()


def settled(text):
    """What is left on the screen where lines were drawn over, as a progress line is."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        left = ""
        for part in re.split(r"\r", line):
            if re.search(r"\x1b\[2?K", part):
                left = re.sub(r"\x1b\[2?K", "", part)
            elif part:
                left = part
        lines.append(left)
    return "\n".join(lines).rstrip("\n")


def main():
    programs, target = sys.argv[1:]
    place = tempfile.mkdtemp(prefix="ironforge-session.", dir="/tmp")
    os.chmod(place, 0o755)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("IRONFORGE_", "PG")) and name not in ("DATABASE_URL", "REDIS_URL", "NO_COLOR")
    }
    servers = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda name: int(name.split("/")[4]))[-1:]
    path = ":".join([programs, *servers, os.environ["PATH"]])
    environment.update(PATH=path, TERM="xterm-256color", COLUMNS=str(COLUMNS))
    console = Console(
        record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True, color_system="truecolor"
    )
    try:
        for command in BEFORE:
            shown, code = run(command, place, environment)
            if code:
                sys.exit(f"record-session: {command}: exit {code}: {shown}")
        for number, command in enumerate(SHOWN):
            if number:
                console.print()
            console.print(Text("$ ", style="bold green") + Text(command, style="bold"))
            shown, code = run(command, place, environment)
            text = settled(shown)
            if text:
                console.print(Text.from_ansi(text))
            if code:
                console.print(Text(f"(exit code {code})", style="dim"))
    finally:
        for command in AFTER:
            run(command, place, environment)
        shutil.rmtree(place)
    svg = console.export_svg(title="ironforge", unique_id="session")
    # rich names a font on the network; the reader's own fixed one will do.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono")
    with open(target, "w", encoding="utf-8") as file:
        file.write(re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE))


main()
