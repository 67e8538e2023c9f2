# SPDX-License-Identifier: Apache-2.0
# The fuzz room. Everything here builds with gcc except the fuzzers themselves, which need clang and
# its libFuzzer.

FUZZ_APT     := clang llvm libclang-rt-14-dev
FUZZ_TARGETS := softmax attention cache paths plugin parsers
FUZZ_CC      ?= clang
TIME         ?= 60

LIB_FUZZ   := $(BUILD)/lib/libsinkproof_fuzz.a
FUZZ_LIBS   = $(LIB_FUZZ) $(LIB_CERTIFY) $(LIB_FAST) $(LIB_REF)
# Static: calls into a shared MPFR cost a twentieth of the time, and a fuzzer is carried elsewhere.
FUZZ_TAIL   ?= -lcjson -lnettle -ldl -l:libmpfi.a -l:libmpfr.a -l:libgmp.a -lm
FUZZ_ENGINE ?= -fsanitize=fuzzer

$(LIB_FUZZ): $(call objects,$(filter-out fuzz/fuzz_%.c fuzz/mutator.c,$(wildcard fuzz/*.c)))

# Text is mutated as text.
$(BUILD)/fuzz/fuzz_parsers: FUZZ_MUTATOR :=
FUZZ_MUTATOR = $(BUILD)/obj/fuzz/mutator.c.o

# A target with an engine, and the same target with a main of our own that replays files.
$(BUILD)/fuzz/fuzz_%: $(BUILD)/obj/fuzz/fuzz_%.c.o $(BUILD)/obj/fuzz/mutator.c.o $(FUZZ_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) $(OPT) $(CFLAGS) $(FUZZ_ENGINE) -o $@ $< $(FUZZ_MUTATOR) $(FUZZ_LIBS) $(FUZZ_TAIL)
$(BUILD)/fuzz/replay_%: $(BUILD)/obj/fuzz/fuzz_%.c.o $(BUILD)/obj/fuzz/tools/replay.c.o $(FUZZ_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) $(OPT) $(CFLAGS) -o $@ $^ $(FUZZ_TAIL)
$(BUILD)/fuzz/tool_%: $(BUILD)/obj/fuzz/tools/%.c.o $(BUILD)/obj/fuzz/mutator.c.o $(FUZZ_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) $(OPT) $(CFLAGS) -o $@ $^ $(FUZZ_TAIL)
.SECONDARY:

# Unit tests of the room are part of `make check`.
$(BUILD)/bin/check: $(LIB_FUZZ)
$(BUILD)/bin/check: private TEST_LIBS := $(LIB_FUZZ) $(LIB_CERTIFY) $(LIB_REF) $(TEST_LIBS)
