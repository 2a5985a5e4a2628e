#!/usr/bin/env python3
"""Goal: tools/check_tidy.py finds every kind of untidiness, and nothing in a tidy tree."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import check_tidy  # noqa: E402


def body(lines, head="int long_one() {", tail="}"):
    """A function of exactly `lines` lines."""
    return "\n".join([head] + ["  step();"] * (lines - 2) + [tail]) + "\n"


class CheckTidy(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.write("src/quipu/base/README.md", "What base owns.\n")
        self.write("src/quipu/base/a.h", "#pragma once\nint a();\n")
        self.write("src/quipu/base/a.cpp",
                   '#include "quipu/base/a.h"\nint a() { return 1; }  // a TODO(#7) with an owner\n')

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_script(self):
        done = subprocess.run([sys.executable, str(ROOT / "tools" / "check_tidy.py"),
                               str(self.root)], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def assert_found(self, *texts):
        status, output = self.run_script()
        self.assertEqual(status, 1, output)
        self.assertEqual(len(output.splitlines()), len(texts), output)
        for text in texts:
            self.assertIn(text, output)

    def assert_tidy(self):
        status, output = self.run_script()
        self.assertEqual(status, 0, output)

    def test_a_tidy_tree_passes(self):
        self.assert_tidy()

    def test_banned_names(self):
        for line in ("std::cout << 1;", "throw 1;", "int r = std::rand();", "thread.detach();",
                     "void* p = malloc(3);", "std::this_thread::sleep_for(1s);", "int x = atoi(s);",
                     "using namespace std;", "// TODO: later", "// FIXME(#3)", "usleep(100);"):
            with self.subTest(line):
                self.write("src/quipu/base/bad.cpp", line + "\n")
                self.assert_found("bad.cpp:1: ")

    def test_what_is_banned_in_a_core_layer_is_not_in_an_outer_one(self):
        self.write("src/quipu/cli/README.md", "What cli owns.\n")
        self.write("src/quipu/cli/a.cpp", "void a() { std::cout << 1; }\n")
        self.assert_tidy()

    def test_a_comment_may_name_what_is_banned(self):
        self.write("src/quipu/base/a.cpp", '#include "quipu/base/a.h"\n// never calls malloc()\n')
        self.assert_tidy()

    def test_an_exception_needs_a_reason(self):
        self.write("src/quipu/base/bad.cpp", "throw 1;  // tidy: a library asks for it\n")
        self.assert_tidy()
        self.write("src/quipu/base/bad.cpp", "throw 1;  // tidy:\n")
        status, _ = self.run_script()
        self.assertEqual(status, 1)

    def unnamed(self, name, *lines):
        self.write("src/quipu/base/" + name, "\n".join(
            ["namespace quipu {", "namespace {", *lines, "}  // namespace", "}  // namespace quipu"]))

    def test_names_of_unnamed_namespaces_are_unique_in_a_target(self):
        for line in ("constexpr int kMax = 3;", "int half(int n) { return n / 2; }",
                     "struct Part {};", "class Part final : public Whole {};",
                     "enum class Part : int { kOne };", "constexpr int kList[] = {1, 2};",
                     "template <typename T> T half(const std::map<T, int>& of) { return {}; }",
                     "const std::map<int, std::pair<int, int>> table(3);",
                     "[[nodiscard]] alignas(8) std::vector<int> list;"):
            with self.subTest(line):
                self.unnamed("one.cpp", "const auto first = [](int n) { return n; };",
                             'INSTANTIATE(A, [](int) { return ""; });', line)
                self.unnamed("two.cpp", line)
                self.assert_found("two.cpp:3: ")
                self.unnamed("two.cpp", line + "  // tidy: never together")
                self.assert_tidy()
                self.write("src/quipu/base/two.cpp", "namespace quipu {\n" + line + "\n}\n")
                self.assert_tidy()
                (self.root / "src/quipu/base/two.cpp").unlink()
                self.unnamed("two_test.cpp", line)
                self.assert_tidy()
                (self.root / "src/quipu/base/two_test.cpp").unlink()

    def test_what_may_be_in_several_unnamed_namespaces(self):
        for line in ("using List = std::vector<int>;", "namespace fs = std::filesystem;",
                     "using std::string;", "class Forward;", "TEST(Suite, Name) {}",
                     "template <> struct Wrapped::Inner<int>;"):
            with self.subTest(line):
                self.unnamed("one.cpp", line)
                self.unnamed("two.cpp", line)
                self.assert_tidy()
        self.unnamed("one.cpp", "using List = std::vector<int>;")
        self.unnamed("two.cpp", "using List = std::vector<char>;")
        self.assert_found("two.cpp:3: ")

    def test_form(self):
        self.write("src/quipu/base/bad.h", "int a;\n")
        self.assert_found("bad.h:1: no #pragma once")
        self.write("src/quipu/base/bad.h", "#pragma once\nint a; \n\tint b;\n")
        self.assert_found("bad.h:2: tab or trailing", "bad.h:3: tab or trailing")
        self.write("src/quipu/base/bad.h", f"#pragma once\n// {'x' * 97}\n// {'x' * 98}\n")
        self.assert_found("bad.h:3: 101 columns")

    def test_own_header_comes_first(self):
        self.write("src/quipu/base/a.cpp", "#include <string>\n#include \"quipu/base/a.h\"\n")
        self.assert_found("a.cpp:1: the first include is not its own a.h")
        self.write("src/quipu/base/a.cpp", "int a() { return 1; }\n")
        self.assert_found("a.cpp:1: the first include is not its own a.h")
        self.write("src/quipu/base/a.cpp", "// Why.\n#include \"quipu/base/a.h\"\n")
        self.assert_tidy()

    def test_length_of_files(self):
        (self.root / "src/quipu/base/long.cpp").write_text("int a;\n" * 1000)
        self.assert_tidy()
        (self.root / "src/quipu/base/long.cpp").write_text("int a;\n" * 1001)
        self.assert_found("long.cpp:1: 1001 lines")

    def test_every_kind_of_function_is_measured(self):
        heads = ("int f(int a, std::vector<int> b = {}) {", "void A::f() const noexcept {",
                 "template <class T>\nauto f(T t) -> T {", "TEST(A, B) {", "A::A() : x_{1}, y_(2) {",
                 "A::A()\n    : x_{1},\n      y_{f({2})} {", "bool operator==(A, A) {",
                 "A& operator=(A&&) {", "extern \"C\" int f(char c = '{') {",
                 "static int f(std::string s = \"}{\") {")
        scopes = (("", ""), ("namespace n {\n", "}\n"),
                  ("namespace n {\nint x = 3;\nclass A : B<int> {\n public:\n", "};\n}\n"))
        for head in heads:
            for before, after in scopes:
                with self.subTest(head=head, before=before):
                    first = before.count("\n") + 1
                    lines = 71 - head.count("\n")
                    self.write("src/quipu/base/long.cpp", before + body(lines, head) + after)
                    self.assert_found(f"long.cpp:{first}: a function of 71 lines")
                    self.write("src/quipu/base/long.cpp", before + body(lines - 1, head) + after)
                    self.assert_tidy()

    def test_the_limit_of_functions_is_exact(self):
        self.write("src/quipu/base/long.cpp", body(70))
        self.assert_tidy()
        self.write("src/quipu/base/long.cpp", "int a;\n" + body(71))
        self.assert_found("long.cpp:2: a function of 71 lines")
        self.write("src/quipu/base/long.cpp",
                   body(71, head="int long_one() {  // tidy: one table, clearer whole"))
        self.assert_tidy()

    def test_what_is_long_but_no_function(self):
        for head, tail in (("class A {", "};"), ("namespace n {", "}"), ("enum class E {", "};"),
                           ("constexpr int kTable[] = {", "};"), ('extern "C" {', "}"),
                           ("const A kA = make({", "});")):
            with self.subTest(head):
                text = "\n".join([head] + ["  // row"] * 90 + [tail]) + "\n"
                self.write("src/quipu/base/long.cpp", text)
                self.assert_tidy()

    def test_braces_in_strings_and_comments_do_not_count(self):
        text = ('int a() { return "}".size() + R"x(}}})x".size(); /* } */ }  // }\n'
                "#define OPEN {\n" + body(70))
        self.assertEqual([(1, 1), (3, 72)], list(check_tidy.functions(text)))

    def test_tests_and_benchmarks_are_checked_too(self):
        for folder in ("tests/crash", "bench/micro", "fuzz", "include/quipu"):
            with self.subTest(folder):
                path = f"{folder}/bad.cpp"
                self.write(path, "void f() { sleep_for(1); }\n")
                self.assert_found("bad.cpp:1: ")
                (self.root / path).unlink()

    def test_layers_have_a_short_readme(self):
        self.write("src/quipu/base/README.md", "line\n" * 41)
        self.assert_found("README.md:1: over 40 lines")
        (self.root / "src/quipu/base/README.md").unlink()
        self.assert_found("base:1: no README.md")

    def test_paths_of_machines(self):
        home = "/ho" + "me/" + "somebody/x"
        for name in ("docs/a.md", "tools/x", "CMakeLists.txt"):
            with self.subTest(name):
                self.write(name, f"see {home}\n")
                self.assert_found(f"{pathlib.Path(name).name}:1: ")
                self.write(name, "see /home/user/x and https://example.org/work/x and a/root/x\n")
                self.assert_tidy()


if __name__ == "__main__":
    unittest.main()
