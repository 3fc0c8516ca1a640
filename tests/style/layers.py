"""A folder includes only what src/CMakeLists.txt says it uses, and uses only folders before it; their
order is that of docs/design.md's table. layers.py ROOT"""

import re
import sys
from pathlib import Path

from sources import includes, report, sources

KEYWORDS = {"USES", "LINKS", "HIDES"}


def folders(cmake):
    """{folder: those that it uses}, in the order of declaration."""
    found = {}
    for call in re.findall(r"^mobileone_folder\(([^)]*)\)", cmake, re.MULTILINE):
        name, *words = re.sub(r"#[^\n]*", "", call).split()
        uses, keyword = [], None
        for word in words:
            if word in KEYWORDS:
                keyword = word
            elif keyword == "USES":
                uses.append(word)
        found[name] = uses
    return found


def order_faults(uses, table):
    before = []
    for name, used in uses.items():
        for other in used:
            if other not in before:
                yield f"src/CMakeLists.txt: {name} USES {other}, which is not declared before it"
        before.append(name)
    if before != table:
        yield ("src/CMakeLists.txt: declares " + " ".join(before) +
               "; the table of docs/design.md has " + " ".join(table))


def folder_of(path):
    """The library that a source belongs to; None for tests, examples and main.cpp."""
    parts = path.parts
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    return parts[2] if parts[:2] == ("include", "mobileone") and len(parts) > 3 else None


def include_faults(root, uses):
    for path in sources(root):
        name = folder_of(path)
        if name is None:
            continue
        if name not in uses:
            yield f"{path}: src/CMakeLists.txt declares no mobileone_folder({name})"
            continue
        for number, what in includes((Path(root) / path).read_text("utf-8")):
            # Another folder's header, public (mobileone/X/y.h) or not (X/y.h).
            parts = what.removeprefix("mobileone/").split("/")
            other = parts[0]
            if len(parts) > 1 and other in uses and other != name and other not in uses[name]:
                yield (f"{path}:{number}: {name} includes {what} without USES {other} in "
                       "src/CMakeLists.txt")


def faults(root):
    uses = folders((Path(root) / "src/CMakeLists.txt").read_text("utf-8"))
    design = (Path(root) / "docs/design.md").read_text("utf-8")
    table = re.findall(r"^\| `(\w+)/` \|", design, re.MULTILINE)
    return [*order_faults(uses, table), *include_faults(root, uses)]


if __name__ == "__main__":
    sys.exit(report(faults(sys.argv[1])))
