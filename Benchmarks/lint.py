"""What two linters find in files that say what there is to find. Called by lint.sh."""

import json
import pathlib
import subprocess
import sys

# A preference, which squawk has for columns that are no keys too: counted where it is meant to be found.
OPTIONAL = {"prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-identity"}
# squawk's names for what our rules name. Its rules of style have none, and are not counted for or against it.
NAMES = {
    "require-concurrent-index-creation": ["index_not_concurrent"],
    "require-concurrent-index-deletion": ["index_drop_not_concurrent"],
    "require-concurrent-reindex": ["reindex_not_concurrent"],
    "require-concurrent-refresh-materialized-view": ["refresh_not_concurrent"],
    "require-concurrent-partition-detach": ["detach_partition"],
    "ban-concurrent-index-creation-in-transaction": ["concurrently_in_transaction"],
    "adding-field-with-default": ["add_column_rewrites"],
    "adding-serial-primary-key-field": ["constraint_builds_index", "add_column_rewrites"],
    "adding-required-field": ["add_column_not_null"],
    "adding-not-nullable-field": ["set_not_null"],
    "adding-foreign-key-constraint": ["foreign_key_validates"],
    "constraint-missing-not-valid": [
        "check_validates", "foreign_key_validates", "constraint_builds_index", "validate_in_same_transaction",
    ],
    "ban-alter-domain-with-add-constraint": [],
    "disallowed-unique-constraint": ["constraint_builds_index"],
    "changing-column-type": ["column_type_change"],
    "renaming-column": ["rename"],
    "renaming-table": ["rename"],
    "ban-drop-table": ["drop_table"],
    "ban-drop-column": ["drop_column"],
    "ban-truncate-cascade": ["truncate_cascade"],
    "ban-char-field": ["char_column"],
    "prefer-timestamp-tz": ["timestamp_without_time_zone"],
    "prefer-bigint-over-int": ["integer_key"],
    "prefer-bigint-over-smallint": ["integer_key"],
    "prefer-identity": ["integer_key"],
}


def ours(program, path):
    out = subprocess.run([program, "migrate", "lint", str(path), "--json"], capture_output=True, text=True)
    if out.returncode not in (0, 10):
        sys.exit(f"{path}: {out.stderr}")
    return {json.loads(line)["rule"] for line in out.stdout.splitlines()}


def theirs(program, path, expected):
    out = subprocess.run([program, "--reporter", "json", str(path)], capture_output=True, text=True)
    found = set()
    for finding in json.loads(out.stdout or "[]"):
        names = NAMES.get(finding["rule_name"])
        if not names:
            continue
        # One that means several of ours is what is expected of them.
        meant = set(names) & expected
        found |= meant or (set() if finding["rule_name"] in OPTIONAL else {names[0]})
    return found


def main():
    ironforge, squawk, directory = sys.argv[1:]
    totals = {"ironforge": [0, 0, 0], "squawk": [0, 0, 0]}
    files = sorted(pathlib.Path(directory).glob("*.sql"))
    for path in files:
        first = path.read_text().splitlines()[0].removeprefix("-- expect:").strip()
        expected = set() if first == "nothing" else {name.strip() for name in first.split(",")}
        results = {"ironforge": ours(ironforge, path), "squawk": theirs(squawk, path, expected)}
        for name, found in results.items():
            missed, false = expected - found, found - expected
            totals[name][0] += len(expected & found)
            totals[name][1] += len(missed)
            totals[name][2] += len(false)
            for kind, rules in (("missed", missed), ("false", false)):
                if rules:
                    print(f"{path.stem:34} {name:10} {kind:7} {' '.join(sorted(rules))}")
    print(f"{len(files)} files")
    print(f"{'':10} {'found':>6} {'missed':>7} {'false':>6}")
    for name, (found, missed, false) in totals.items():
        print(f"{name:10} {found:6} {missed:7} {false:6}")


main()
