# SPDX-License-Identifier: Apache-2.0
# `make check` and its parts. Included by the top Makefile.

TEST_SRC := $(wildcard tests/*.c tests/honest/*.c tests/diagnose/*.c)
SUITES   := $(patsubst tests/test_%.c,%,$(wildcard tests/test_*.c))

# The list of suites is the list of files: suites.h is generated from their names.
$(BUILD)/suites.h: $(wildcard tests/test_*.c)
	@mkdir -p $(@D)
	@printf 'SUITE(%s)\n' $(SUITES) > $@
$(call objects,tests/run.c): $(BUILD)/suites.h

# Hostile kernels are loaded as a stranger's would be.
$(BUILD)/lib/exploits.so: $(call objects,$(wildcard tests/exploits/*.c))
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) -shared $(OPT) $(CFLAGS) -o $@ $^ -lm -lpthread

# So are kernels that follow the conventions of other systems.
$(BUILD)/lib/profiles.so: $(call objects,$(wildcard tests/profiles/*.c))
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) -shared $(OPT) $(CFLAGS) -o $@ $^ -lm

$(BUILD)/bin/check: $(call objects,$(TEST_SRC)) $(LIB_CERTIFY) $(LIB_FAST) $(LIB_REF) \
                    | $(BUILD)/lib/exploits.so $(BUILD)/lib/profiles.so
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@echo $^ > $(BUILD)/check.objects
	@$(CC) $(OPT) $(CFLAGS) -rdynamic -o $@ $^ $(TEST_LIBS)

# ---- what people run ----

COMMANDS := $(filter-out command,$(patsubst tests/commands/%.py,%,$(wildcard tests/commands/*.py)))

# Each part is a target of its own, make check-suite-museum, and the parts run side by side. Rooms with
# makefiles of their own add theirs.
CHECKS := $(SUITES:%=check-suite-%) check-header $(COMMANDS:%=check-command-%) check-bench check-leaves \
          check-library check-rooms trace
.PHONY: check check-parts check-sanitizers $(CHECKS)
check: ## unit tests, vectors, saboteurs, the commands, the corpus, includes, trace
	+@$(MAKE) --no-print-directory --keep-going --output-sync -j$(JOBS) check-parts
check-parts: $(CHECKS)

# Breaks the judge in many ways; the tests must notice each. Only what was broken is compiled again.
.PHONY: mutate-judge
mutate-judge: $(BUILD)/bin/check ## break the judge on purpose: the tests must notice each fault
	@$(PYTHON) tests/mutate_judge.py $(BUILD) $(JOBS) \
	  '$(CC) $(BASE) -frounding-math -Wno-error -O1 $(CFLAGS)' \
	  '$(CC) $(CFLAGS) -rdynamic -o MUTANT MUTANT.o $$(cat $(BUILD)/check.objects) $(TEST_LIBS)'

# A test that hangs is ended; a busy machine is given PATIENCE times what a test is said to take.
SUITE_SECONDS ?= 100
PATIENCE      ?= 3
$(SUITES:%=check-suite-%): check-suite-%: $(BUILD)/bin/check
	@CK_DEFAULT_TIMEOUT=$(SUITE_SECONDS) CK_TIMEOUT_MULTIPLIER=$(PATIENCE) $< $*

# A third party includes this one header, from C or C++, with its own strict flags.
check-header:
	$(CC) -std=c11 -pedantic-errors -Wall -Wextra -Werror -Iinclude -fsyntax-only tests/header/alone.c
	$(CXX) -std=c++17 -pedantic-errors -Wall -Wextra -Werror -Iinclude -fsyntax-only tests/header/alone.cc

$(COMMANDS:%=check-command-%): check-command-%: command kernels $(BUILD)/lib/exploits.so \
                               $(BUILD)/lib/profiles.so
	$(PYTHON) tests/commands/$*.py $(SINKPROOF) $(BUILD)
check-bench: command kernels
	$(PYTHON) tests/bench.py $(SINKPROOF) $(BUILD)
check-leaves: command kernels
	$(PYTHON) tests/leaves.py $(SINKPROOF) $(BUILD)
check-library: all
	$(PYTHON) tests/library.py $(BUILD)
# Reads every object: what compiles more adds it here.
check-rooms: all $(BUILD)/bin/check
	$(PYTHON) .ci/deps.py $(BUILD)/obj

check-sanitizers: ## the unit tests once more with ASan, UBSan and the oracle's invariants as assertions
	+@$(MAKE) --no-print-directory --keep-going --output-sync -j$(JOBS) BUILD=build/sanitizers \
	  OPT='-O1 -g -DSP_CHECKED' PATIENCE=10 \
	  CFLAGS='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' \
	  $(SUITES:%=check-suite-%)
