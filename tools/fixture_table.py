#!/usr/bin/env python3
"""Holds the table of Fixtures/README.md against the files.

    tools/fixture_table.py             says what differs; exit 1 when anything does
    tools/fixture_table.py --update    new sums for known files, rows for new ones (made by the script named with
                                       --made-by), no rows for files that are gone
"""
import argparse
import hashlib
import pathlib
import re
import sys

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
README = FIXTURES / "README.md"
MARK = "| file | made by | sha256 |\n|---|---|---|\n"
ROW = re.compile(r"\| `([^`]+)` \| ([^|]*) \| `([0-9a-f]{64})` \|$")


def files():
    found = {}
    for path in sorted(FIXTURES.rglob("*")):
        if path.is_file() and path != README:
            found[path.relative_to(FIXTURES).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def table(text):
    """The rows as {file: (maker, sum)}; every line after the mark must be one."""
    rows = {}
    for line in text.split(MARK, 1)[1].splitlines():
        match = ROW.match(line)
        if not match or match[1] in rows:
            sys.exit(f"{README}: not a row of its own: {line}")
        rows[match[1]] = (match[2], match[3])
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--made-by", default="tools/make_fixtures.py")
    options = parser.parse_args()
    text = README.read_text()
    rows, present = table(text), files()
    if options.update:
        lines = [f"| `{name}` | {rows.get(name, (options.made_by,))[0]} | `{digest}` |\n"
                 for name, digest in present.items()]
        README.write_text(text.split(MARK, 1)[0] + MARK + "".join(lines))
        return
    problems = [f"not in the table: {name}" for name in present if name not in rows]
    problems += [f"not on disk: {name}" for name in rows if name not in present]
    problems += [f"sha256 differs: {name}" for name in rows if name in present and rows[name][1] != present[name]]
    makers = {row[0] for row in rows.values()}
    problems += [f"no such maker: {maker}" for maker in makers if not (FIXTURES.parent / maker).is_file()]
    for problem in problems:
        print(f"Fixtures: {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)
    print(f"fixtures: {len(rows)} files as in the table")


if __name__ == "__main__":
    main()
