#!/usr/bin/env bash
# Runs unmodified client libraries against a server of their own.
#
# Usage: tests/clients/run.sh QUIPU
#   QUIPU_TEST_SEED=n                 repeats the random tests
#   QUIPU_DIFFERENTIAL_CASES=n        how many random collections are compared (60)
# Needs tools/setup_clients.
set -euo pipefail
QUIPU_EXECUTABLE=$(realpath "${1:?usage: tests/clients/run.sh QUIPU}")
export QUIPU_EXECUTABLE
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

status=0
for program in tests/clients/test_*.py tests/clients/differential/test_*.py; do
  echo "== $program"
  .deps/clients/venv/bin/python -W ignore::UserWarning "$program" || status=1
done
exit $status
