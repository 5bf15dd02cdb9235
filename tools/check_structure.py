#!/usr/bin/env python3
"""Holds the source tree to its rules: one importer a C module and target, short files, no home directories."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LONGEST = 400
CODE = (".swift", ".c", ".h", ".py", ".sh", "")
GENERATED = re.compile(r"\.pb-c\.[hc]$")
HOME = re.compile(r"/(?:home|root|Users)/")


def tracked():
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                           capture_output=True, check=True).stdout.decode().split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def c_modules():
    """Targets without Swift: a module map or a folder of headers."""
    return {path.name for path in (ROOT / "Sources").iterdir()
            if path.is_dir() and not any(path.rglob("*.swift"))}


def importers(files):
    """{(target, C module): the Swift files that import it}"""
    modules, found = c_modules(), {}
    for name in files:
        if not (name.startswith("Sources/") and name.endswith(".swift")):
            continue
        for line in (ROOT / name).read_text().splitlines():
            match = re.match(r"\s*(?:\w+\s+)*import\s+(?:\w+\s+)?(\w+)", line)
            if match and match[1] in modules:
                found.setdefault((name.split("/")[1], match[1]), set()).add(name)
    return found


def main():
    files = tracked()
    problems = [f"{target} imports {module} in more than one file: {', '.join(sorted(names))}"
                for (target, module), names in importers(files).items() if len(names) > 1]
    for name in files:
        if name.startswith(("Sources/", "Tests/", "tools/")):
            text = (ROOT / name).read_text(errors="replace")
            lines = text.count("\n")
            if lines > LONGEST and pathlib.Path(name).suffix in CODE and not GENERATED.search(name):
                problems.append(f"{name} has {lines} lines, more than {LONGEST}")
            if HOME.search(text):
                problems.append(f"{name} names a home directory")
    for problem in problems:
        print(f"structure: {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)
    print(f"structure: {len(files)} files follow the rules")


if __name__ == "__main__":
    main()
