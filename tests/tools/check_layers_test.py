#!/usr/bin/env python3
"""Goal: tools/check_layers.py finds every kind of broken rule, and nothing in a right tree."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check_layers.py"


class CheckLayers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.write("src/quipu/base/CMakeLists.txt", "quipu_layer(base LIBRARIES x)\n")
        self.write("src/quipu/base/a.h", "#include <vector>\n#include \"quipu/base/b.h\"\n")
        self.write("src/quipu/index/CMakeLists.txt", "quipu_layer(index USES base)\n")
        self.write("src/quipu/index/dense/d.cpp", '#include "quipu/base/a.h"\n')
        self.write("include/quipu/ids.h", '#include "quipu/result.h"\n')

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_script(self):
        done = subprocess.run([sys.executable, str(SCRIPT), str(self.root)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def assert_found(self, text):
        status, output = self.run_script()
        self.assertEqual(status, 1, output)
        self.assertIn(text, output)
        self.assertEqual(len(output.splitlines()), 1, output)

    def test_a_right_tree_passes(self):
        status, output = self.run_script()
        self.assertEqual(status, 0, output)
        self.assertIn("layers: 2 files", output)

    def test_a_lower_layer_may_not_see_a_higher_one(self):
        self.write("src/quipu/base/bad.cpp", 'int x;\n#include "quipu/index/dense/d.h"\n')
        self.assert_found("bad.cpp:2: base may not see index")

    def test_include_sees_no_layer(self):
        self.write("include/quipu/bad.h", '#include "quipu/base/a.h"\n')
        self.assert_found("bad.h:1: include/ may not see <quipu/base/a.h>")

    def test_sealed_siblings(self):
        self.write("src/quipu/index/sparse/bad.cpp", '#include "quipu/index/dense/d.h"\n')
        self.assert_found("bad.cpp:1: index/sparse may not see index/dense")

    def test_a_foreign_header_stays_in_its_folder(self):
        self.write("src/quipu/index/bad.cpp", "#include <rocksdb/db.h>\n")
        self.assert_found("<rocksdb/db.h> may be included only in storage/rocksdb")

    def test_an_unknown_layer(self):
        self.write("src/quipu/index/bad.cpp", '#include "quipu/indexes/a.h"\n')
        self.assert_found("unknown layer indexes")

    def test_a_file_in_no_layer(self):
        self.write("src/quipu/extra/bad.cpp", "int x;\n")
        self.assert_found("not in a known layer")

    def test_cmake_links_a_layer_that_the_table_forbids(self):
        self.write("src/quipu/base/CMakeLists.txt", "quipu_layer(base USES index)\n")
        self.assert_found("base may not link index")

    def test_cmake_leaves_out_a_layer_of_the_table(self):
        self.write("src/quipu/simd/CMakeLists.txt", "quipu_layer(simd USES base)\n")
        self.assert_found("index must link simd")

    def test_an_empty_tree_is_no_success(self):
        empty = self.root / "empty"
        empty.mkdir()
        (empty / "include").mkdir()
        done = subprocess.run([sys.executable, str(SCRIPT), str(empty)], text=True,
                              stdout=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
