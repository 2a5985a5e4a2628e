#!/usr/bin/env python3
"""Checks the layer rules of docs/architecture.md against the include lines.

Usage: tools/check_layers.py [root]     (default: the folder above tools/)
Fails, naming file and line, when a layer includes one that it may not see, when a
third-party header leaves its one folder, when the allowed graph has a cycle, or when a
layer's CMakeLists.txt links other layers than the table's.
"""
import pathlib
import re
import sys

# layer: the layers it may include besides itself. Order is from the ground up.
ALLOWED = {
    "base": [],
    "telemetry": ["base"],
    "simd": ["base"],
    "text": ["base"],
    "storage": ["base"],
    "index": ["base", "simd"],
    "embed": ["base", "telemetry", "text", "simd"],
    "query": ["base", "text", "index"],
    "memory": ["base"],
    "policy": ["base"],
    "engine": ["base", "telemetry", "simd", "text", "storage", "index", "embed", "query",
               "memory", "policy"],
    "cluster": ["base", "telemetry", "storage", "engine"],
    "auth": ["base", "telemetry", "engine"],
    "api": ["base", "telemetry", "embed", "query", "engine", "auth"],
    "server": ["base", "telemetry", "simd", "embed", "engine", "cluster", "auth", "api"],
    "cli": ["base", "telemetry", "simd", "text", "embed", "engine", "api", "server"],
}
# Siblings inside a layer that must not see each other.
SEALED = {"index": ["dense", "hnsw", "flat", "sparse", "payload", "grid", "graph"],
          "api": ["rest", "grpc", "qdrant", "openai", "mcp", "ws"]}
# Siblings that are made of others: what they may see nevertheless. Folders that are not sealed
# (index/rows, index/quant, index/postings) are for all siblings.
COMPOSED = {"index/dense": ["hnsw", "flat"], "index/sparse": ["flat"]}
# Header prefix: the only folders that may include it.
CONFINED = {"rocksdb/": ["storage/rocksdb"], "immintrin.h": ["simd"], "arm_neon.h": ["simd"],
            "grpcpp/": ["api/grpc"], "grpc/": ["api/grpc"],
            "google/protobuf/": ["api"], "qdrant_proto/": ["api/qdrant/grpc"],
            "quipu_proto/": ["api/grpc/v1"],
            "nats/": ["cluster"], "openvino/": ["embed/openvino"],
            "simdjson": ["base"], "openssl/": ["base", "server"], "boost/": ["server", "cli"],
            "spdlog/": ["telemetry"], "prometheus/": ["telemetry"], "CLI/": ["cli"],
            "toml++/": ["server"], "unicode/": ["text"], "utf8proc.h": ["text"],
            "libstemmer.h": ["text/analysis"], "pcre2.h": ["text/regex"]}
CMAKE_LAYER = re.compile(r"quipu_layer\(\s*(\w+)\s*(?:USES\s+([a-z\s]*))?")
INCLUDE = re.compile(r'\s*#\s*include\s*[<"]([^>"]+)[>"]')


def check_graph():
    seen = set()
    for layer, below in ALLOWED.items():
        unknown = [name for name in below if name not in seen]
        if unknown:
            yield f"ALLOWED: {layer} names {unknown}, which is not below it"
        seen.add(layer)


def check_include(where, header):
    for prefix, homes in CONFINED.items():
        inside = any(where == home or where.startswith(home + "/") for home in homes)
        if header.startswith(prefix) and not inside:
            return f"<{header}> may be included only in {', '.join(homes)}"
    if not header.startswith("quipu/"):
        return None
    source, target = where.split("/"), header.split("/")[1:]
    if target[0] not in ALLOWED:
        return None if len(target) == 1 else f"unknown layer {target[0]}"
    if source[0] != target[0]:
        ok = target[0] in ALLOWED[source[0]]
        return None if ok else f"{source[0]} may not see {target[0]}"
    sealed = SEALED.get(source[0], [])
    if len(source) > 1 and len(target) > 2 and source[1] != target[1]:
        made_of = COMPOSED.get("/".join(source[:2]), [])
        if source[1] in sealed and target[1] in sealed and target[1] not in made_of:
            return f"{source[0]}/{source[1]} may not see {source[0]}/{target[1]}"
    return None


def check_cmake(source):
    """Each layer links exactly the layers of the table that have a folder."""
    present = [name for name in ALLOWED if (source / name / "CMakeLists.txt").exists()]
    for layer in present:
        path = source / layer / "CMakeLists.txt"
        found = CMAKE_LAYER.search(path.read_text(errors="replace"))
        if not found or found.group(1) != layer:
            yield f"{path}: no quipu_layer({layer} ...)"
            continue
        linked = (found.group(2) or "").split()
        for name in linked:
            if name not in ALLOWED[layer]:
                yield f"{path}: {layer} may not link {name}"
        for name in ALLOWED[layer]:
            if name in present and name not in linked:
                yield f"{path}: {layer} must link {name}, which the table allows it"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    source = root / "src" / "quipu"
    errors = [f"tools/check_layers.py: {text}" for text in check_graph()]
    errors += check_cmake(source)
    for path in sorted((root / "include").rglob("*.h")):
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            found = INCLUDE.match(line)
            if found and found.group(1).startswith("quipu/") and found.group(1).count("/") > 1:
                errors.append(f"{path}:{number}: include/ may not see <{found.group(1)}>")
    files = [p for p in sorted(source.rglob("*")) if p.suffix in (".h", ".cpp", ".cu")]
    for path in files:
        where = path.parent.relative_to(source).as_posix()
        if where.split("/")[0] not in ALLOWED:
            errors.append(f"{path}: not in a known layer")
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            found = INCLUDE.match(line)
            problem = check_include(where, found.group(1)) if found else None
            if problem:
                errors.append(f"{path}:{number}: {problem}")
    if not files:
        errors.append(f"{source}: no sources found")
    print("\n".join(errors) if errors else f"layers: {len(files)} files, all edges allowed")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
