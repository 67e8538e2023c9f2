# SPDX-License-Identifier: Apache-2.0
# The fuzz room. Everything here builds with gcc except the fuzzers themselves, which need clang and
# its libFuzzer.

FUZZ_APT     := clang llvm libclang-rt-14-dev
# … and the build of the oracle's libraries from source, as OSS-Fuzz does it.
FUZZ_OSS_APT := dpkg-dev m4 autoconf automake libtool texinfo zip unzip file binutils
FUZZ_TARGETS := softmax attention cache paths plugin parsers descriptor
FUZZ_CC      ?= clang
TIME         ?= 60

LIB_FUZZ   := $(BUILD)/lib/libsinkproof_fuzz.a
FUZZ_LIBS   = $(LIB_FUZZ) $(LIB_CERTIFY) $(LIB_FAST) $(LIB_REF)
# Static: calls into a shared MPFR cost a twentieth of the time, and a fuzzer is carried elsewhere.
FUZZ_TAIL   ?= -lcjson -lnettle -ldl -l:libmpfi.a -l:libmpfr.a -l:libgmp.a -lm
FUZZ_ENGINE ?= -fsanitize=fuzzer
FUZZ_LD      ?= $(CC)
FUZZ_LDFLAGS ?= $(OPT) $(CFLAGS)

$(LIB_FUZZ): $(call objects,$(filter-out fuzz/fuzz_%.c fuzz/mutator.c,$(wildcard fuzz/*.c)))

# Text is mutated as text, and a descriptor as bytes.
$(BUILD)/fuzz/fuzz_parsers $(BUILD)/fuzz/fuzz_descriptor: FUZZ_MUTATOR :=
FUZZ_MUTATOR = $(BUILD)/obj/fuzz/mutator.c.o

# A target with an engine, and the same target with a main of our own that replays files.
$(BUILD)/fuzz/fuzz_%: $(BUILD)/obj/fuzz/fuzz_%.c.o $(BUILD)/obj/fuzz/mutator.c.o $(FUZZ_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(FUZZ_LD) $(FUZZ_LDFLAGS) $(FUZZ_ENGINE) -o $@ $< $(FUZZ_MUTATOR) $(FUZZ_LIBS) $(FUZZ_TAIL)
$(BUILD)/fuzz/replay_%: $(BUILD)/obj/fuzz/fuzz_%.c.o $(BUILD)/obj/fuzz/tools/replay.c.o $(FUZZ_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) $(OPT) $(CFLAGS) -o $@ $^ $(FUZZ_TAIL)
$(BUILD)/fuzz/tool_%: $(BUILD)/obj/fuzz/tools/%.c.o $(BUILD)/obj/fuzz/mutator.c.o $(FUZZ_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) $(OPT) $(CFLAGS) -o $@ $^ $(FUZZ_TAIL)
# The mutators of a target as AFL++ loads them.
$(BUILD)/fuzz/afl_%.so: $(BUILD)/obj/fuzz/afl/mutator.c.o $(BUILD)/obj/fuzz/fuzz_%.c.o $(FUZZ_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) -shared $(OPT) $(CFLAGS) -o $@ $^ -lcjson -lnettle -ldl $(MPFR_LIBS)
.PRECIOUS: $(BUILD)/obj/%.c.o

# Unit tests of the room are part of `make check`.
$(BUILD)/bin/check: $(LIB_FUZZ)
$(BUILD)/bin/check: private TEST_LIBS := $(LIB_FUZZ) $(LIB_CERTIFY) $(LIB_REF) $(TEST_LIBS)

# ---- what people run ----

FUZZ_BUILD    ?= $(BUILD)/fuzzers
FUZZ_SANITIZE ?= -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZ_PROGRAMS  = $(FUZZ_TARGETS:%=$(BUILD)/fuzz/fuzz_%) $(BUILD)/fuzz/tool_seed \
                 $(BUILD)/fuzz/tool_power $(BUILD)/fuzz/tool_case
FUZZ_MAKE      = $(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD) CC=$(FUZZ_CC) OPT='-O2 -g' \
                 CFLAGS='$(FUZZ_SANITIZE)' \
                 FUZZ_QUIET='-fno-sanitize=fuzzer-no-link -fsanitize-coverage=inline-8bit-counters,pc-table'
# Comparisons of numbers teach an engine nothing and cost a third of the time; those of the parsers
# do teach it words. Edges are counted everywhere.
FUZZ_LOUD := $(addprefix certify/case/,casefile_read.c parse.c replay.c) fuzz/fuzz_parsers.c \
             $(wildcard certify/command/*.c) certify/judge/class.c certify/host/worker_load.c \
             fuzz/descriptor.c
$(foreach source,$(filter-out $(FUZZ_LOUD),$(wildcard ref/*.c fast/*.c fast/*/*.c certify/*/*.c fuzz/*.c)),\
  $(eval $(BUILD)/obj/$(source).o: private override CFLAGS += $(FUZZ_QUIET)))
FUZZ_CASES    := fuzz/corpus/softmax fuzz/corpus/attention fuzz/corpus/cache
FUZZ_CORPUS    = $(if $(filter paths plugin,$(1)),$(FUZZ_CASES),fuzz/corpus/$(1))

.PHONY: fuzz-oss fuzz-contract fuzz-programs fuzz-programs-plain fuzz-test fuzz-test-engine fuzz fuzz-replay fuzz-replay-sanitizers fuzz-power fuzz-corpus fuzz-worst fuzz-numbers fuzz-feedback fuzz-afl fuzz-coverage
fuzz-programs: $(FUZZ_PROGRAMS)

fuzz: ## fuzz every target at once: make fuzz TIME=60 (clang with libFuzzer: FUZZ_APT in fuzz/fuzz.mk)
	+@$(FUZZ_MAKE) fuzz-programs
	$(PYTHON) fuzz/campaign.py run $(FUZZ_BUILD)/fuzz $(TIME)

# The room's programs, with planted faults: what needs no engine is part of `make check`.
fuzz-test: fuzz-programs-plain fuzz-contract
	$(PYTHON) fuzz/tests/room.py $(BUILD)
fuzz-test-engine: fuzz-programs-plain ## the same with an engine: a planted crash becomes a minimal vector
	+@$(FUZZ_MAKE) fuzz-programs
	$(PYTHON) fuzz/tests/room.py $(BUILD) $(FUZZ_BUILD)/fuzz
fuzz-programs-plain: $(BUILD)/fuzz/replay_plugin $(SINKPROOF)

# The oracle's kernel, judged by the oracle, is the slow half of `paths`: its inputs are those of the
# other three, so a replay leaves it to the campaign.
FUZZ_REPLAYED := $(filter-out paths,$(FUZZ_TARGETS))
FUZZ_REPLAYS  := $(FUZZ_REPLAYED:%=$(BUILD)/fuzz/replay_%)
fuzz-replay: $(FUZZ_REPLAYED:%=fuzz-replay-%) ## run the committed corpus without a fuzzing engine
$(FUZZ_REPLAYED:%=fuzz-replay-%): fuzz-replay-%: $(BUILD)/fuzz/replay_%
	@$< $(call FUZZ_CORPUS,$*)

# The objects are those of `make check-sanitizers`. What once was a finding is replayed here too.
fuzz-replay-sanitizers: ## the same under ASan and UBSan, every target and past finding (any compiler)
	+@$(MAKE) --no-print-directory BUILD=build/sanitizers OPT='-O1 -g -DSP_CHECKED' \
	  CFLAGS='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' \
	  -j$(JOBS) --output-sync fuzz-replay build/sanitizers/fuzz/replay_paths
	build/sanitizers/fuzz/replay_paths $(FUZZ_CASES) $(wildcard fuzz/regressions/*.input)

fuzz-power: $(BUILD)/fuzz/tool_power ## how many of the museum's faults the corpus and TIME seconds of mutation find
	$(BUILD)/fuzz/tool_power -t $(TIME) $(FUZZ_CASES)

fuzz-corpus: ## rebuild the committed corpus: seeds of the generators, then TIME seconds a target
	+@$(FUZZ_MAKE) fuzz-programs
	$(PYTHON) fuzz/campaign.py corpus $(FUZZ_BUILD)/fuzz $(TIME)

fuzz-worst: ## search TIME seconds a target for the worst rounding, and keep the cases in fuzz/worst
	+@$(FUZZ_MAKE) fuzz-programs
	$(PYTHON) fuzz/campaign.py worst $(FUZZ_BUILD)/fuzz $(TIME)

fuzz-numbers: ## measure, and rewrite the tables of fuzz/README.md
	+@$(FUZZ_MAKE) fuzz-programs
	$(PYTHON) fuzz/campaign.py numbers $(FUZZ_BUILD)/fuzz

INPUTS ?= 20000
fuzz-feedback: ## error feedback against plain coverage: ten campaigns of INPUTS inputs each way
	+@$(FUZZ_MAKE) fuzz-programs
	$(PYTHON) fuzz/campaign.py feedback $(FUZZ_BUILD)/fuzz $(INPUTS)

# Instrumented by AFL++'s compiler, linked with its libFuzzer driver, with our mutators beside its own.
AFL_TARGET ?= softmax
AFL_ENGINE ?= /usr/lib/afl/libAFLDriver.a
AFL_FIRST   = $(firstword $(call FUZZ_CORPUS,$(AFL_TARGET)))
fuzz-afl: $(BUILD)/fuzz/afl_$(AFL_TARGET).so ## drive one target by AFL++ (apt: afl++): make fuzz-afl AFL_TARGET=softmax TIME=30
	+@AFL_QUIET=1 $(MAKE) --no-print-directory BUILD=$(BUILD)/afl CC=afl-clang-fast FUZZ_QUIET= \
	  FUZZ_ENGINE=$(AFL_ENGINE) $(BUILD)/afl/fuzz/fuzz_$(AFL_TARGET)
	rm -rf $(BUILD)/afl/found-$(AFL_TARGET)
	AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 \
	  AFL_CUSTOM_MUTATOR_LIBRARY=$(abspath $<) afl-fuzz -V $(TIME) -t 5000+ -i $(AFL_FIRST) \
	  -o $(BUILD)/afl/found-$(AFL_TARGET) -x fuzz/fuzz.dict -- $(BUILD)/afl/fuzz/fuzz_$(AFL_TARGET)
	! ls $(BUILD)/afl/found-$(AFL_TARGET)/default/crashes/id* 2> /dev/null

fuzz-coverage: ## lines and branches that the corpus reaches, and the others by reason; rewrites the table
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)/coverage CC=$(FUZZ_CC) OPT='-O1 -g' FUZZ_QUIET= \
	  CFLAGS='-fprofile-instr-generate -fcoverage-mapping' \
	  $(FUZZ_TARGETS:%=$(BUILD)/coverage/fuzz/replay_%)
	$(PYTHON) fuzz/coverage.py $(BUILD)/coverage/fuzz

# Sanitizers that the contract names, each with the oracle's libraries from source. FUZZ_OSS_SRC may hold
# sources that the archive does not give.
FUZZ_OSS     ?= address undefined memory coverage
FUZZ_OSS_SRC ?= $(abspath $(BUILD))/oss-fuzz
fuzz-oss: ## OSS-Fuzz's own build check, with every sanitizer (apt: FUZZ_OSS_APT in fuzz/fuzz.mk)
	fuzz/oss-fuzz/sources.sh $(FUZZ_OSS_SRC)
	SRC=$(FUZZ_OSS_SRC) WORK=$(abspath $(BUILD))/oss-fuzz-work fuzz/oss-fuzz/check.sh $(FUZZ_OSS)

fuzz-contract: ## are the files for OSS-Fuzz and ClusterFuzzLite consistent, and what is to be filled in?
	$(PYTHON) fuzz/tests/contract.py

check-parts: fuzz-replay fuzz-test
check-rooms: fuzz-programs-plain $(FUZZ_REPLAYS)
