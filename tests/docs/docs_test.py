#!/usr/bin/env python3
"""Goal: what the documentation points to is there, and what it shows is what the tests run."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = {".git", ".deps", "build", "data", "corpus", "golden"}


def pages():
    for path in sorted(ROOT.rglob("*.md")):
        if not SKIPPED.intersection(path.relative_to(ROOT).parts):
            yield path


def without_code(text):
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


class Documentation(unittest.TestCase):
    def test_links_lead_somewhere(self):
        count = 0
        for page in pages():
            for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
                if re.match(r"[a-z]+:|#", target):
                    continue
                count += 1
                with self.subTest(page=page.relative_to(ROOT).as_posix(), target=target):
                    self.assertTrue((page.parent / target.split("#")[0]).exists())
        self.assertGreater(count, 10)

    def test_targets_of_make_exist(self):
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
        for page in pages():
            for code in re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", page.read_text(), re.M):
                with self.subTest(page=page.relative_to(ROOT).as_posix()):
                    self.assertIn(code[0] or code[1], targets)

    def test_every_decision_is_listed(self):
        folder = ROOT / "docs" / "decisions"
        listed = (folder / "README.md").read_text()
        numbered = sorted(folder.glob("[0-9]*.md"))
        self.assertGreater(len(numbered), 3)
        for number, page in enumerate(numbered, 1):
            self.assertTrue(page.name.startswith(f"{number:04}-"), page.name)
            self.assertIn(f"({page.name})", listed)
            self.assertTrue(page.read_text().startswith(f"# {number:04}: "), page.name)

    def test_the_readme_shows_the_program_that_is_tested(self):
        program = (ROOT / "tests" / "docs" / "library_example.cpp").read_text()
        tested = program.split("// [README]\n")[1].split("  // [/README]")[0].rstrip()
        shown = re.search(r"^```cpp\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
        self.assertEqual(shown.group(1).rstrip(), tested + "\n}")


if __name__ == "__main__":
    unittest.main()
