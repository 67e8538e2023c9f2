# SPDX-License-Identifier: Apache-2.0
# Included by the top Makefile.
#
#   make bench                           our kernel, and every peer that has been built
#   make bench SUITE=full CERTIFY=smoke  …
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

# Debian ships no static cJSON: this program writes tables and pages, and no JSON.
$(BUILD)/bin/sinkproof-bench: $(call objects,certify/export/bench.c) $(LIB_CERTIFY) $(LIB_REF) \
                              $(LIB_FAST)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) -static $(OPT) $(CFLAGS) -o $@ $^ -lnettle -pthread $(MPFR_LIBS)
bench-static: $(BUILD)/bin/sinkproof-bench ## the benchmark with our kernel as one static program

.PHONY: bench-results
bench-results: ## the last run's table as Markdown, build/bench.md, with the processor's name
	$(PYTHON) certify/bench/results.py $(BUILD)/bench.json > $(BUILD)/bench.md
