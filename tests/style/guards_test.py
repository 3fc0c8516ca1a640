"""Each guard of style finds what it is there for, in a small tree made to be wrong."""

import tempfile
import unittest
from pathlib import Path

import format as formatting
import includes
import layers
import width

GOOD = {
    "src/CMakeLists.txt": "mobileone_folder(util HIDES spdlog)\nmobileone_folder(data USES util\n"
                          "                 LINKS torch)\n",
    "docs/design.md": "| folder | holds |\n|---|---|\n| `util/` | a |\n| `data/` | b |\n",
    "include/mobileone/util/text.h": """#pragma once

#include <string>

namespace mobileone {

enum Case { kLower, kUpper };
struct Hidden;

/// Not a word of it: trim("x").
std::string in_case(const std::string& text, Case wanted);

}  // namespace mobileone
""",
    "src/data/names.cpp": """#include <string>

#include "mobileone/util/text.h"

namespace mobileone {

std::string name() { return in_case("Name", kLower); }

}  // namespace mobileone
""",
}


class Guards(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mobileone_style_")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for path, text in GOOD.items():
            self.write(path, text)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, "utf-8")

    def change(self, path, old, new):
        self.assertIn(old, GOOD[path])
        self.write(path, GOOD[path].replace(old, new))

    def assert_one(self, faults, *parts):
        faults = list(faults)
        self.assertEqual(len(faults), 1, faults)
        for part in parts:
            self.assertIn(part, faults[0])

    def includes(self):
        return list(includes.Tree(self.root).faults())

    def test_nothing_is_wrong_with_what_is_right(self):
        self.assertEqual(list(width.faults(self.root)), [])
        self.assertEqual(layers.faults(self.root), [])
        self.assertEqual(self.includes(), [])

    def test_a_wide_line(self):
        self.write("src/data/wide.cpp", "//" + "é" * 98 + "\n")
        self.assertEqual(list(width.faults(self.root)), [])
        self.write("src/data/wide.cpp", "\n//" + "é" * 99 + "\n")
        self.assert_one(width.faults(self.root), "src/data/wide.cpp:2: 101 columns")

    def test_what_clang_format_would_change(self):
        program = formatting.clang_format()
        if program is None:
            self.skipTest(f"there is no clang-format-{formatting.VERSION} here")
        self.write(".clang-format", "BasedOnStyle: Google\n")
        self.assertEqual(formatting.faults(self.root, program), [])
        self.write("src/data/loose.cpp", "int  f( );\n")
        self.assert_one(formatting.faults(self.root, program), "src/data/loose.cpp")

    def test_a_folder_that_uses_a_later_one(self):
        self.change("src/CMakeLists.txt", "util HIDES", "util USES data HIDES")
        self.assert_one(layers.faults(self.root), "util USES data")

    def test_an_order_that_is_not_the_page_s(self):
        self.change("docs/design.md", "`data/`", "`train/`")
        self.assert_one(layers.faults(self.root), "util data", "util train")

    def test_an_include_of_a_folder_that_is_not_used(self):
        self.change("src/CMakeLists.txt", "data USES util", "data")
        self.assert_one(layers.faults(self.root), "src/data/names.cpp:3", "data includes")

    def test_a_folder_that_is_not_declared(self):
        self.write("src/extra/x.cpp", "")
        self.assert_one(layers.faults(self.root), "src/extra/x.cpp", "mobileone_folder(extra)")

    def test_a_header_of_ours_of_which_no_name_is_used(self):
        self.change("src/data/names.cpp", 'in_case("Name", kLower)', '"in_case kLower"')
        self.assert_one(self.includes(), "names.cpp:3", "mobileone/util/text.h")
        self.change("src/data/names.cpp", 'in_case("Name", kLower)', "lower(kLower)")
        self.assertEqual(self.includes(), [])  # an enumerator is a use

    def test_a_standard_header_of_which_no_name_is_used(self):
        self.change("src/data/names.cpp", "#include <string>", "#include <map>\n#include <string>")
        self.assert_one(self.includes(), "names.cpp:1", "includes map")

    def test_includes_that_are_excused(self):
        self.change("src/data/names.cpp", "#include <string>",
                    "#include <map>  // IWYU pragma: keep\n#include <string>")
        self.assertEqual(self.includes(), [])
        self.write("include/mobileone/data/all.h",
                   '#include "mobileone/util/text.h"  // IWYU pragma: export\n')
        self.change("src/data/names.cpp", "util/text.h", "data/all.h")
        self.assertEqual(self.includes(), [])

    def test_members_of_a_class_that_others_declare_beforehand_are_uses(self):
        self.write("include/mobileone/util/hidden.h",
                   "namespace mobileone {\nstruct Hidden {\n  int depth() const;\n};\n}\n")
        self.write("src/data/deep.cpp", '#include "mobileone/util/hidden.h"\n\n'
                                        "int deep(auto& hidden) { return hidden.depth(); }\n")
        self.assertEqual(self.includes(), [])


if __name__ == "__main__":
    unittest.main()
