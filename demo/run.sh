#!/bin/sh
# What `make demo` runs.
exec python3 "$(dirname "$0")/demo.py" "$@"
