# `make` alone lists the targets. The work is done by CMake's presets and the scripts of tools/.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Memory, not only cores, bounds a build: a compiler may take 1.5 GB.
JOBS ?= $(shell awk -v cores=$$(nproc) '/MemAvailable/ {m = int($$2 / 1500000); \
	print (m < 1 ? 1 : m < cores ? m : cores)}' /proc/meminfo 2>/dev/null || echo 1)
DATA ?= data

.PHONY: help
help: ## List the targets
	@echo "Quipu. Start with: make demo"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "JOBS=$(JOBS) compilers at once; QUIPU_TEST_SEED=n repeats a test run."

.PHONY: setup
setup: ## Install what is missing (Debian packages; model and its runtime into .deps/)
	@tools/setup

# Configured once; CMake itself looks for changes in each build.
build/%/build.ninja: CMakePresets.json | setup
	@cmake --preset $* --log-level=WARNING >/dev/null

.PHONY: build
build: build/release/build.ninja ## Build what users run, and its tests: build/release/bin/quipu
	@cmake --build build/release -j $(JOBS)

.PHONY: demo
demo: build ## See it: ingest manual pages, ask, get answers, survive a kill -9
	@demo/run.sh

.PHONY: serve
serve: build ## Run the server on http://127.0.0.1:7333, its data in ./data
	@build/release/bin/quipu serve --data $(DATA)

.PHONY: test
test: build ## All tests but the long ones: release, Python, sanitized, a little fuzzing
	@tools/run_tests --jobs $(JOBS) release python asan fuzz

.PHONY: test-long
test-long: build ## More crash rounds and histories, the thread sanitizer, a minute of each fuzzer
	@QUIPU_FUZZ_SECONDS=$${QUIPU_FUZZ_SECONDS:-60} \
	  tools/run_tests --jobs $(JOBS) release long python asan tsan fuzz

.PHONY: test-clients
test-clients: build ## Unmodified clients (Qdrant's, LangChain's) and schemathesis against the server
	@tools/setup_clients
	@tests/clients/run.py build/release/bin/quipu

.PHONY: check
check: setup ## Check the source: format, layers, lengths, spelling, headers, warnings, unit tests
	@tools/check.sh

.PHONY: asan
asan: setup ## Unit tests with the address and undefined-behaviour sanitizers
	@tools/run_tests --jobs $(JOBS) asan

.PHONY: tsan
tsan: setup ## Unit tests with the thread sanitizer
	@tools/run_tests --jobs $(JOBS) tsan

.PHONY: sanitizers
sanitizers: asan tsan ## Both of them

.PHONY: fuzz
fuzz: setup ## Every fuzz target for QUIPU_FUZZ_SECONDS (10)
	@tools/run_tests --jobs $(JOBS) fuzz

.PHONY: coverage
coverage: setup ## Line coverage of src/ by the unit tests
	@tools/run_tests --jobs $(JOBS) coverage

.PHONY: tidy
tidy: build/thread-safety/build.ninja ## clang-tidy over all sources (slow; not part of check)
	@find src -name '*.cpp' ! -name '*_test.cpp' ! -path '*/openvino/*' -print0 | \
	  xargs -0 -n 4 -P $(JOBS) clang-tidy-14 -p build/thread-safety --quiet

.PHONY: bench
bench: build ## Measure; the figures go to build/bench/core.json
	@bench/run.sh

.PHONY: bench-query
bench-query: build ## Measure words, filters, hybrid search, the cache, quality; build/bench/query.json
	@bench/query.sh

.PHONY: bench-setup
bench-setup: build ## Install the peers that the benchmarks compare with, each on its own
	@bench/setup.sh

.PHONY: clean
clean: ## Remove what was built (.deps/ and data/ stay)
	@rm -rf build
