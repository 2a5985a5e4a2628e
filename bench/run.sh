#!/usr/bin/env bash
# Measures Quipu and its peers on this machine; see bench/README.md.
#
# Usage: bench/run.sh [--only start,size,durable,open,search,rest,embed] [--rounds N]
#   QUIPU_BENCH_SCALE=0.1   a tenth of the data set, to try the harness; figures then go to
#                           build/bench/core.md and not to docs/benchmarks/core.md
#   QUIPU_BENCH_BUILD=dir   another build folder than build/release
# Writes build/bench/core.json. Exit status: 0 when every row holds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly BUILD=${QUIPU_BENCH_BUILD:-build/release}
readonly PYTHON=.deps/bench/runner/venv/bin/python

if [[ ! -x $PYTHON || ! -e .deps/bench/data/meta.json ]]; then
  echo "bench: run 'make bench-setup' first: the peers or the data set are not there" >&2
  exit 2
fi
"$PYTHON" -m unittest -q bench.harness.selftest >/dev/null
cmake --preset release -B "$BUILD" >/dev/null
cmake --build "$BUILD" --target quipu_benchmarks quipu
exec "$PYTHON" bench/core.py --build "$BUILD" --scale "${QUIPU_BENCH_SCALE:-1}" "$@"
