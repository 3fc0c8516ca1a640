"""No line of a source is wider than 100 columns. width.py ROOT"""

import sys
from pathlib import Path

from sources import report, sources

COLUMNS = 100


def faults(root):
    for path in sources(root):
        for number, line in enumerate((Path(root) / path).read_text("utf-8").split("\n"), 1):
            if len(line) > COLUMNS:
                yield f"{path}:{number}: {len(line)} columns; break the line before {COLUMNS}"


if __name__ == "__main__":
    sys.exit(report(list(faults(sys.argv[1]))))
