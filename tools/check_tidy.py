#!/usr/bin/env python3
"""Checks what a formatter cannot: sizes, banned names, leftovers. Run by tools/check.sh.

Usage: tools/check_tidy.py [root]     (default: the folder above tools/)
  * C++ files of include/, src/, tests/, bench/ and fuzz/: lengths of lines, functions and files,
    #pragma once, banned names; x.cpp includes its own x.h before anything else (so that the header
    is compiled alone there).
  * Names in unnamed namespaces of src/quipu are unique in their target, as batches of its sources
    are compiled as one (docs/decisions/0014-unity-builds.md); equal aliases may be repeated.
  * Each layer below src/quipu has a README.md of at most 40 lines.
  * No text file of the project names a path of some machine.
To except one line, end it with `// tidy: <why>` (`# tidy: <why>` in scripts); to except a function
from its length, put that on its first line. The reason is for the reviewer.
"""
import pathlib
import re
import sys

LINE_COLUMNS_MAX = 100
FILE_LINES_MAX = 1000
FUNCTION_LINES_MAX = 70
README_LINES_MAX = 40
CPP_SUFFIXES = (".h", ".cpp", ".cu")
CPP_FOLDERS = ("include", "src", "tests", "bench", "fuzz")
TEXT_SUFFIXES = CPP_SUFFIXES + (".md", ".py", ".sh", ".txt", ".cmake", ".json", ".toml", ".yml",
                                ".yaml", ".proto", ".svg", ".supp", "")
SKIPPED_FOLDERS = {".git", ".deps", ".cache", "build", "data", "__pycache__", "corpus", "golden"}
EXCEPTED = re.compile(r"(//|#) tidy: \S")
# (pattern, folders below src/quipu it is banned in, "" for all, what to do instead)
BANNED = [
    (r"\bstd::(rand|srand|random_device)\b", "", "a seeded quipu::Rng, handed in"),
    (r"\b(system_clock|steady_clock|high_resolution_clock)::now\b", "memory engine index query",
     "the Clock that is handed in"),
    (r"\bsleep_(for|until)\b|\bu?sleep\s*\(\s*\d", "", "a condition, or Clock::wait_until"),
    (r"\.detach\(\)", "", "a thread that somebody joins"),
    (r"\b(std::cout|std::cerr|printf\s*\()", "base simd storage index embed query memory engine",
     "log.h"),
    (r"\b(malloc|free|realloc)\s*\(", "", "a container or an arena"),
    (r"\bthrow\b", "base simd storage index query memory engine", "return Error"),
    (r"\b(atoi|atol|atof|strtol|sprintf|strcpy|strcat)\s*\(", "", "std::from_chars, std::format_to_n"),
    (r"\b(FIXME|XXX|HACK)\b", "", "finish it, or a TODO with an issue number"),
    (r"\bTODO\b(?!\(#\d+\))", "", "TODO(#issue)"),
    (r"^\s*using namespace\b", "", "the name itself"),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
MACHINE_PATH = re.compile(
    r"(?<![\w./-])/(work|root|tmp/w|tmp/bash_jobs|mnt|home/(?!user\b|quipu\b|ada\b)\w+)(/|\b(?=[\s\"'`),:]|$))")

# Folders of a layer whose sources are a target of their own, and layers that are never batched.
OWN_TARGETS = ("embed/openvino", "cli/executable", "text/tool")
NEVER_BATCHED = ("simd",)
WORD = re.compile(r"[A-Za-z_]\w*$")

TOKEN = re.compile(r"""
    (?P<skip>//[^\n]*|/\*.*?\*/|\s+|^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*)
  | (?P<raw>(?:u8|u|U|L)?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")
  | (?P<text>(?:u8|u|U|L)?"(?:[^"\\\n]|\\.)*")
  | (?P<char>(?<![0-9a-zA-Z_])'(?:[^'\\\n]|\\.)+')
  | (?P<word>[A-Za-z_]\w*)
  | (?P<number>\d(?:[\w.]|'(?=\w))*)
  | (?P<mark2>::|->|&&|==|<=|>=|!=)
  | (?P<other>.)
""", re.VERBOSE | re.DOTALL | re.MULTILINE)
NOT_FUNCTIONS = {"namespace", "class", "struct", "union", "enum", "concept"}


def tokens(text):
    """(token, line) for all that is not a comment, white space or a preprocessor line."""
    line = 1
    for found in TOKEN.finditer(text):
        if found.lastgroup != "skip" and found.group("skip") is None:
            kind = found.lastgroup
            yield ('""' if kind in ("raw", "text", "char", "mark") else found.group()), line
        line += found.group().count("\n")


def without_template(statement):
    """The tokens without a leading `template <class T>`, whose `class` declares no class."""
    while statement[:2] == ["template", "<"]:
        depth = 0
        for at, token in enumerate(statement):
            depth += {"<": 1, ">": -1}.get(token, 0)
            if at > 0 and depth == 0:
                break
        statement = statement[at + 1:]
    return statement


def opens_function(statement):
    """Whether a `{` after these tokens begins a function's body (or a brace of its init list)."""
    depth = 0
    called = False
    statement = without_template(statement)
    for number, token in enumerate(statement):
        if token in ("(", "["):
            depth += 1
            called = called or token == "("
        elif token in (")", "]"):
            depth -= 1
        elif depth == 0 and token in NOT_FUNCTIONS and not called:
            return False
        elif depth == 0 and token == "=" and statement[max(0, number - 1)] != "operator":
            return False
    return called and depth == 0


def opens_initializer(statement):
    """Whether the `{` is a member's initializer in a constructor's list, as in `: a_{1}`."""
    depth = 0
    listed = False
    closed = False
    for token in statement:
        if token == "(":
            depth += 1
        elif token == ")":
            depth -= 1
            closed = closed or depth == 0
        elif token == ":" and depth == 0 and closed:
            listed = True
    return listed and (re.match(r"[A-Za-z_]\w*$", statement[-1]) is not None or
                       statement[-1] == ">")


def functions(text):
    """(first line, last line) of every function's definition, by its braces."""
    stream = list(tokens(text))
    statement, first, position = [], 0, 0

    def closing(start):
        depth = 0
        for at in range(start, len(stream)):
            depth += {"{": 1, "}": -1}.get(stream[at][0], 0)
            if depth == 0:
                return at
        return len(stream) - 1

    while position < len(stream):
        token, line = stream[position]
        if token == "{" and opens_function(statement):
            end = closing(position)
            if opens_initializer(statement):
                statement.append("{}")
            else:
                yield first, stream[end][1]
                statement = []
            position = end + 1
            continue
        if token == "{" and ("=" in statement or statement.count("(") > statement.count(")")):
            position = closing(position)  # A value in braces: no function begins in it.
            statement.append("{}")
        elif token in ("{", "}", ";"):
            statement = []
        elif token == ":" and statement[-1:] in (["public"], ["private"], ["protected"]):
            statement = []
        else:
            if not statement:
                first = line
            statement.append(token)
        position += 1


def without_attributes(statement):
    """The tokens without [[...]], alignas(...) and __attribute__((...))."""
    kept, at = [], 0
    while at < len(statement):
        if statement[at] in ("alignas", "__attribute__") or statement[at:at + 2] == ["[", "["]:
            at += statement[at] != "["
            depth = 0
            while at < len(statement):
                depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(statement[at], 0)
                at += 1
                if depth == 0:
                    break
            continue
        kept.append(statement[at])
        at += 1
    return kept


def declared(statement, ending):
    """(name, how it is declared) of a declaration at namespace scope, its tokens up to `ending`
    ("{", ";" or "="); None for what needs no name of its own: a forward declaration, a test."""
    statement = without_template(without_attributes(statement))
    if not statement or statement[0] in ("static_assert", "extern", "friend"):
        return None
    if statement[0] in ("using", "namespace"):
        return (statement[1], "alias") if ending == "=" else None
    if statement[0] in ("struct", "class", "union", "enum") and "(" not in statement:
        if ending == ";":
            return None
        head = statement[:min(statement.index(mark) for mark in (":", "<", statement[-1])
                              if mark in statement) + 1]
        words = [token for token in head if WORD.match(token) and token != "final"]
        return words[-1], "type"
    depth = 0
    for at, token in enumerate(statement):
        depth += {"<": 1, ">": -1}.get(token, 0)
        if token == "operator":
            return None
        if token in ("(", "[") and depth == 0:
            statement = statement[:at]
            break
    if len(statement) < 2 or statement[-2] == "::" or not WORD.match(statement[-1]):
        return None  # A macro such as TEST, or a member of a class.
    return statement[-1], "name"


def unnamed_names(text):
    """(namespace around, name, its declaration's kind and text, line) in unnamed namespaces."""
    stream = list(tokens(text))
    scopes, statement, first, position = [], [], 0, 0

    def end_of(start):
        depth = 0
        for at in range(start, len(stream)):
            depth += {"{": 1, "}": -1, "(": 1, ")": -1}.get(stream[at][0], 0)
            if depth == 0 and stream[at][0] in ("}", ";"):
                return at
        return len(stream) - 1

    while position < len(stream):
        token, line = stream[position]
        if token == "{" and "namespace" in statement[:2]:
            scopes.append("".join(statement[statement.index("namespace") + 1:]))
            statement = []
        elif token == "}":
            if scopes:
                scopes.pop()
            statement = []
        elif token in ("{", ";", "=") and statement.count("(") == statement.count(")"):
            found = declared(statement, token) if "" in scopes else None
            end = position if token == ";" else end_of(position)
            if found is not None:
                whole = " ".join(each for each, _ in stream[position - len(statement):end + 1])
                kind = whole if found[1] == "alias" else found[1]
                yield "::".join(name for name in scopes if name), found[0], kind, first
            statement, position = [], end
        elif token == "{":  # In parentheses: a lambda, or a value in braces.
            position = end_of(position)
        else:
            if not statement:
                first = line
            statement.append(token)
        position += 1


def target_of(path):
    """Which target's sources a file below src/quipu is among."""
    layer = path.parts[0]
    own = "/".join(path.parts[:2])
    return (own if own in OWN_TARGETS else layer) + ("_test" if path.stem.endswith("_test") else "")


def batch_problems(source):
    seen = {}
    for path in sorted(source.rglob("*.cpp")):
        below = path.relative_to(source)
        if below.parts[0] in NEVER_BATCHED:
            continue
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for namespace, name, kind, number in unnamed_names(text):
            if EXCEPTED.search(lines[number - 1]):
                continue
            other, other_kind = seen.setdefault((target_of(below), namespace, name), (path, kind))
            if other != path and (kind in ("type", "name") or kind != other_kind):
                yield path, number, (f"'{name}' is in the unnamed namespace of "
                                     f"{other.relative_to(source)} too: name it for what is "
                                     "particular, or share it in a header")


def long_functions(text, lines):
    for first, last in functions(text):
        count = last - first + 1
        if count > FUNCTION_LINES_MAX and not EXCEPTED.search(lines[first - 1]):
            yield first, f"a function of {count} lines; split it (limit {FUNCTION_LINES_MAX})"


def cpp_problems(path, layer):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    if len(lines) > FILE_LINES_MAX:
        yield 1, f"{len(lines)} lines; split it (limit {FILE_LINES_MAX})"
    if path.suffix == ".h" and "#pragma once" not in lines:
        yield 1, "no #pragma once"
    if path.suffix == ".cpp" and path.with_suffix(".h").exists():
        first = INCLUDE.search(text)
        if first is None or pathlib.PurePath(first.group(1)).name != path.stem + ".h":
            yield 1, f"the first include is not its own {path.stem}.h"
    yield from long_functions(text, lines)
    for number, line in enumerate(lines, 1):
        if EXCEPTED.search(line):
            continue
        if len(line) > LINE_COLUMNS_MAX:
            yield number, f"{len(line)} columns (limit {LINE_COLUMNS_MAX})"
        if "\t" in line or line != line.rstrip():
            yield number, "tab or trailing space"
        code = line.split("//")[0]
        for pattern, layers, instead in BANNED:
            checked = line if instead.startswith(("finish", "TODO")) else code
            if (not layers or layer in layers.split()) and re.search(pattern, checked):
                yield number, f"'{line.strip()[:40]}' is banned here; use {instead}"


def readme_problems(source):
    for layer in sorted(p for p in source.iterdir() if p.is_dir() and any(p.iterdir())):
        readme = layer / "README.md"
        if not readme.exists():
            yield layer, 1, "no README.md: what the layer owns, its invariants, where to start"
        elif len(readme.read_text(encoding="utf-8").splitlines()) > README_LINES_MAX:
            yield readme, 1, f"over {README_LINES_MAX} lines"


def machine_path_problems(path):
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return
    for number, line in enumerate(lines, 1):
        found = MACHINE_PATH.search(line)
        if found and not EXCEPTED.search(line):
            yield number, f"'{found.group()}' is a path of one machine"


def walk(root):
    """The project's own files: what git would ignore is skipped by name."""
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if path.name not in SKIPPED_FOLDERS:
                yield from walk(path)
        elif path.is_file():
            yield path


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    source = root / "src" / "quipu"
    count = 0

    def report(path, number, text):
        nonlocal count
        count += 1
        print(f"{path}:{number}: {text}")

    sources = 0
    for path in walk(root):
        parts = path.relative_to(root).parts
        if path.suffix in CPP_SUFFIXES and parts[0] in CPP_FOLDERS:
            sources += 1
            layer = parts[2] if parts[:2] == ("src", "quipu") else ""
            for number, text in cpp_problems(path, layer):
                report(path, number, text)
        if path.suffix in TEXT_SUFFIXES:
            for number, text in machine_path_problems(path):
                report(path, number, text)
    if source.is_dir():
        for path, number, text in readme_problems(source):
            report(path, number, text)
        for path, number, text in batch_problems(source):
            report(path, number, text)
    if not sources:
        report(root, 1, "no sources found")
    if not count:
        print(f"tidy: {sources} C++ files, nothing found")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
