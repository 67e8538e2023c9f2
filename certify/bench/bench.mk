# SPDX-License-Identifier: Apache-2.0
# Included by the top Makefile.
#
#   make bench                           our kernel, and every peer that has been built
#   make bench SUITE=full CERTIFY=smoke  …
#   make bench-record NAME=amd-zen4      the standard suite, to be kept: certify/bench/results/
#   make bench ONLY='decode-*' BENCH_FLAGS='--threads 1 --realtime'

SUITE       ?= standard
CERTIFY     ?= standard
ONLY        ?=
BENCH_FLAGS ?=

.PHONY: bench bench-peers bench-static
bench: command kernels ## time our kernel and the peers that are built, judged; reports in build/bench.*
	$(SINKPROOF) bench --own --suite $(SUITE) --certify $(CERTIFY) $(if $(ONLY),--only '$(ONLY)') \
	  --json $(BUILD)/bench.json --html $(BUILD)/bench.html $(BENCH_FLAGS) \
	  $(wildcard $(ADAPTER_LIBS))

bench-peers: adapters ## fetch and build the peers, then make bench

$(BUILD)/bin/sinkproof-bench: $(call objects,certify/export/bench.c) $(LIB_CERTIFY) $(LIB_REF) \
                              $(LIB_FAST)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) -static $(OPT) $(CFLAGS) -o $@ $^ -lnettle -pthread $(MPFR_LIBS)
bench-static: $(BUILD)/bin/sinkproof-bench ## the benchmark with our kernel as one static program

.PHONY: bench-results bench-record bench-record-name
bench-results: ## the last run's tables as Markdown, build/bench.md
	$(PYTHON) certify/bench/results.py $(BUILD)/bench.json > $(BUILD)/bench.md

# Short enough for one sitting: a kernel that takes seconds for a call is timed once, and one that
# takes more than ten is called too slow.
RECORD_FLAGS ?= --realtime --time 0.12 --limit 10
bench-record: SUITE := standard
bench-record: BENCH_FLAGS := $(RECORD_FLAGS)
bench-record: bench-record-name bench ## tables to be kept: make bench-record NAME=amd-zen4, on a quiet machine
	$(PYTHON) certify/bench/results.py $(BUILD)/bench.json > certify/bench/results/$(NAME).md
bench-record-name:
	@test -n '$(NAME)' || { echo 'bench-record: NAME=... is missing, as in NAME=amd-zen4' >&2; exit 2; }
