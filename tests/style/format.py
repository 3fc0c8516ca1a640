"""Sources are formatted as clang-format-14 does by .clang-format. format.py ROOT"""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from sources import report, sources

VERSION = 14  # others break lines elsewhere


def clang_format():
    """The program's path; None where that version is not here."""
    for name in (f"clang-format-{VERSION}", "clang-format"):
        if path := shutil.which(name):
            told = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
            if re.search(rf"version {VERSION}\.", told):
                return path
    return None


def faults(root, program):
    paths = [str(path) for path in sources(root)]
    parts = [paths[i:i + 50] for i in range(0, len(paths), 50)]

    def check(part):
        return subprocess.run([program, "--dry-run", "-Werror", *part], cwd=root,
                              capture_output=True, text=True).stderr
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = "".join(pool.map(check, parts))
    wrong = dict.fromkeys(re.findall(r"^([^\s:]+):\d+:\d+: error", told, re.MULTILINE))
    if told and not wrong:
        return [told]  # it could not run
    return [f"{path}: is not formatted; run `clang-format-{VERSION} -i {path}`" for path in wrong]


if __name__ == "__main__":
    program = clang_format()
    if program is None:
        print(f"skipped: there is no clang-format-{VERSION} here")
        sys.exit(0)
    sys.exit(report(faults(sys.argv[1], program)))
