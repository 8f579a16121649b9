# A durable sandbox of its own for a script that measures; read by those in scripts/. Wants `root` and `ironforge`; sets `bin` (where
# psql is), `work` (the directory that the script is in then), and the sandbox's URLs. At the script's end all of it is gone.

bin=$(dirname "$(ls -1d /usr/lib/postgresql/*/bin/psql | sort -V | tail -n 1)")

# Outside the repository: a file system of its own would not tell more, and nothing is left behind.
work=$(mktemp -d /tmp/ironforge-bench.XXXXXX)
# The servers run as another user when this is root, who must be able to enter.
chmod 755 "$work"
cleanup() {
  # Servers of a part that has failed.
  jobs -p | xargs -r kill 2>/dev/null || true
  (cd "$work" && "$ironforge" sandbox down --quiet >/dev/null) || true
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"
"$ironforge" sandbox up --quiet >/dev/null
eval "$("$ironforge" sandbox env)"
"$ironforge" migrate up --quiet --dir "$root/migrations" >/dev/null
