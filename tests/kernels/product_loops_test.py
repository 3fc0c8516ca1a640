"""The loops of the matrix products keep their sums in registers, as the compiler has made them.

product_loops_test.py OBJECT   OBJECT is what src/kernels/matrix.cpp was compiled to

A loop over the depth of a product that stores its sums in every round takes several times as long
on AVX2, and says nothing about it: here the object file is read instead of a clock.
"""

import platform
import re
import shutil
import subprocess
import sys
import unittest

INSTRUCTION_SETS = ["N_AVX2", "N_AVX3"]
KERNELS = ["multiply", "outer_product"]
# Two multiply-adds begin in a cycle, and a sum can be added to again after four or five.
LEAST_MULTIPLY_ADDS = 10

FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
INSTRUCTION = re.compile(r"^ *([0-9a-f]+):\t(\S+) *(.*)$")
MULTIPLY_ADD = re.compile(r"vfn?m(add|sub)\d+[ps][sd]|vdpbf16ps")
# AT&T syntax: the last operand is written, but by these.
ONLY_READS = re.compile(r"(cmp|test|bt|prefetch|nop|j)")
MEMORY_LAST = re.compile(r"\([^()]*\)(\{%k\d\})?$")


def functions_of(listing: str) -> dict[str, list[tuple[int, str, str]]]:
    """Address, mnemonic and operands of each instruction, by the function's demangled name."""
    functions, current = {}, []
    for line in listing.splitlines():
        if start := FUNCTION.match(line):
            current = functions.setdefault(start[1], [])
        elif found := INSTRUCTION.match(line):
            operands = re.sub(r" *(#.*|<.*)$", "", found[3])
            current.append((int(found[1], 16), found[2], operands))
    return functions


def innermost_loops(instructions: list) -> list[list]:
    """What lies between a backward jump and its aim, with no other such jump inside."""
    loops = []
    for address, mnemonic, operands in instructions:  # by address, so inner loops come first
        if mnemonic.startswith("j") and re.fullmatch("[0-9a-f]+", operands):
            begin = int(operands, 16)
            if instructions[0][0] <= begin <= address and not any(b >= begin for b, _ in loops):
                loops.append((begin, address))
    return [[i for i in instructions if begin <= i[0] <= end] for begin, end in loops]


def multiply_adds(loop: list) -> int:
    return sum(bool(MULTIPLY_ADD.match(mnemonic)) for _, mnemonic, _ in loop)


def stores(loop: list) -> list[str]:
    return [f"{address:x}: {mnemonic} {operands}" for address, mnemonic, operands in loop
            if mnemonic.startswith(("push", "call"))
            or MEMORY_LAST.search(operands) and not ONLY_READS.match(mnemonic)]


class ProductLoops(unittest.TestCase):
    def test_keep_their_sums_in_registers(self):
        listing = subprocess.run(["objdump", "-d", "-C", "--no-show-raw-insn", OBJECT], check=True,
                                 capture_output=True, text=True).stdout
        functions = functions_of(listing)
        for instruction_set in INSTRUCTION_SETS:
            for kernel in KERNELS:
                start = f"mobileone::kernels::{instruction_set}::{kernel}<float>("
                loops = [loop for name, body in functions.items() if start in name
                         for loop in innermost_loops(body) if multiply_adds(loop)]
                with self.subTest(kernel=start):
                    for loop in loops:
                        self.assertEqual(stores(loop), [])
                    self.assertGreaterEqual(max(map(multiply_adds, loops), default=0),
                                            LEAST_MULTIPLY_ADDS)


if __name__ == "__main__":
    OBJECT = sys.argv.pop()
    if platform.machine() not in ("x86_64", "AMD64"):
        print("skipped: it knows the instructions of x86-64 only")
    elif not shutil.which("objdump"):
        print("skipped: there is no objdump (Debian package binutils)")
    else:
        unittest.main()
