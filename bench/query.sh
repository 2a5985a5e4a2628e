#!/usr/bin/env bash
# Measures words, sparse vectors, filters, hybrid search, the cache and retrieval quality on this
# machine, beside peers; see bench/README.md.
#
# Usage: bench/query.sh [--quick] [--rounds N] [--only SECTION,...]
#   --only                  words, sparse, filters, dense, hybrid, cache, quality
#   --quick                 a twentieth of the data, in a minute or two; the page then goes to
#                           build/bench/query.md and not to docs/benchmarks/query.md
#   QUIPU_BENCH_BUILD=dir   another build folder than build/release
# Writes build/bench/query.json. Exit status: 0 when every row holds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly BUILD=${QUIPU_BENCH_BUILD:-build/release}
readonly PYTHON=.deps/bench/runner/venv/bin/python

if [[ ! -x $PYTHON || ! -e .deps/bench/data/queries/manuals/made ]]; then
  echo "bench-query: run 'make bench-setup' first: the peers or the data are not there" >&2
  exit 2
fi
"$PYTHON" -m unittest -q bench.harness.selftest bench.queries.selftest >/dev/null
cmake --preset release -B "$BUILD" >/dev/null
cmake --build "$BUILD" --target quipu_query_benchmarks quipu
command="make bench-query"
[[ $# == 0 ]] || command="bench/query.sh $*"
exec "$PYTHON" bench/query.py --build "$BUILD" --command "$command" "$@"
