"""What the guards of style share: the sources of a tree, and their text without what is not code."""

import re
from pathlib import Path

FOLDERS = ["src", "include", "tests", "benchmarks", "examples"]
ENDINGS = {".h", ".cpp", ".cu"}
SKIPPED = re.compile(r"(^|/)(build[^/]*|generated)/")


def sources(root):
    """The C++ sources below `root`, as paths relative to it."""
    root = Path(root)
    found = [path.relative_to(root) for folder in FOLDERS for path in (root / folder).rglob("*")
             if path.suffix in ENDINGS and path.is_file()]
    return sorted(path for path in found if not SKIPPED.search(path.as_posix()))


NOT_CODE = re.compile(r"""
      //[^\n]* | /\*.*?\*/                       # comments
    | R"(?P<end>[^()\s\\]*)\(.*?\)(?P=end)"      # raw texts
    | "(?:\\.|[^"\\\n])*" | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])*'
""", re.VERBOSE | re.DOTALL)


def code_of(text):
    """`text` without comments and with empty string literals; lines stay where they are."""
    def blank(match):
        literal = match.group()
        kept = '""' if literal[0] in '"R' else ("' '" if literal[0] == "'" else "")
        return kept + "\n" * literal.count("\n")
    kept_includes = re.sub(r'^(\s*#\s*include\s*)"([^"\n]*)"', r"\1<\2>", text, flags=re.MULTILINE)
    return NOT_CODE.sub(blank, kept_includes)


def includes(text):
    """(line number, what) of each #include, whichever brackets it has."""
    return [(number, match.group(1)) for number, line in enumerate(text.splitlines(), 1)
            if (match := re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line))]


def report(faults):
    """Prints them and returns the exit status."""
    for fault in faults:
        print(fault)
    return 1 if faults else 0
