# SPDX-License-Identifier: Apache-2.0
# sinkproof certifies attention kernels that have sinks. `make help` lists the targets.

VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
CXX     ?= c++
AR      ?= ar
PYTHON  ?= /usr/bin/python3
OPT     ?= -O2 -g
JOBS    ?= $(shell nproc)
KERNEL  ?= $(KERNEL_FAST)

APT = build-essential pkg-config libmpfr-dev libmpfi-dev libgmp-dev libflint-dev libflint-arb-dev \
      check libcjson-dev nettle-dev python3 python3-jsonschema python3-yaml $(ADAPTER_APT)

-include config.mk

.PHONY: all
all: command kernels library ## build the command, the libraries and our own two kernels

# ---- how things are compiled ----

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
        -Wmissing-prototypes -Werror
BASE := -std=c11 -D_GNU_SOURCE -fPIC -ffp-contract=off -fno-fast-math -fvisibility=hidden \
        -I. -Iinclude -I$(BUILD) -DSP_VERSION='"$(VERSION)"' $(WARN) -MMD -MP
MPFR_LIBS    := -lmpfi -lmpfr -lgmp -lm
COMMAND_LIBS := -lcjson -lnettle -ldl -pthread $(MPFR_LIBS)
TEST_LIBS     = $(shell pkg-config --libs check) -lflint-arb -lflint $(COMMAND_LIBS)

# Leaves the order of instructions as it is in the source, where the compiler knows how.
AS_WRITTEN := $(shell $(CC) -Werror -fno-schedule-insns2 -E -x c /dev/null > /dev/null 2>&1 && echo -fno-schedule-insns2)

# Flags that belong to a room.
$(BUILD)/obj/ref/%: private ROOM := -frounding-math
$(BUILD)/obj/certify/%: private ROOM := -frounding-math
$(BUILD)/obj/certify/bench/avx2/%: private ROOM := -mavx2 -mfma
$(BUILD)/obj/certify/bench/avx512/%: private ROOM := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
$(BUILD)/obj/fast/avx2/%: private ROOM := -mavx2 -mfma -mf16c
$(BUILD)/obj/fast/avx512/%: private ROOM := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c
$(BUILD)/obj/fast/avx512bf16/%: private ROOM := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c -mavx512bf16 $(AS_WRITTEN)

objects = $(patsubst %,$(BUILD)/obj/%.o,$(1))

$(BUILD)/obj/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(BASE) $(ROOM) $(OPT) $(CFLAGS) -c -o $@ $<
$(BUILD)/obj/%.S.o: %.S
	@mkdir -p $(@D)
	@echo "  AS    $<"
	@$(CC) -I. -MMD -MP $(OPT) $(CFLAGS) -c -o $@ $<
$(BUILD)/lib/%.a:
	@mkdir -p $(@D) && rm -f $@
	@echo "  AR    $@"
	@$(AR) rcs $@ $^

# ---- libraries, kernels, command ----

LIB_REF     := $(BUILD)/lib/libsinkproof_ref.a
LIB_FAST    := $(BUILD)/lib/libsinkproof_fast.a
LIB_CERTIFY := $(BUILD)/lib/libsinkproof_certify.a
SHARED_FAST := $(BUILD)/lib/libsinkproof_fast.so.0
KERNEL_FAST := $(BUILD)/lib/kernel_fast.so
KERNEL_REF  := $(BUILD)/lib/kernel_ref.so
SINKPROOF   := $(BUILD)/bin/sinkproof

$(LIB_REF): $(call objects,$(wildcard ref/*.c))
FAST_OBJECTS := $(call objects,$(wildcard fast/*.c fast/*/*.c fast/*/*.S))
$(LIB_FAST): $(FAST_OBJECTS)
$(LIB_CERTIFY): $(call objects,$(filter-out certify/command/main.c certify/export/%,$(wildcard certify/*/*.c certify/bench/*/*.c)))

$(SHARED_FAST): $(FAST_OBJECTS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) -shared $(OPT) $(CFLAGS) -Wl,-soname,$(@F) -o $@ $^ -lm -lpthread
# A kernel exports one function, so what the library exports is hidden again.
$(KERNEL_FAST): $(call objects,certify/export/fast.c) $(LIB_FAST)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) -shared $(OPT) $(CFLAGS) -Wl,--exclude-libs,ALL -o $@ $^ -lm -lpthread
$(KERNEL_REF): $(call objects,certify/export/ref.c) $(LIB_REF)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) -shared $(OPT) $(CFLAGS) -o $@ $^ $(MPFR_LIBS)
$(SINKPROOF): $(call objects,certify/command/main.c) $(LIB_CERTIFY) $(LIB_REF)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) $(OPT) $(CFLAGS) -o $@ $^ $(COMMAND_LIBS)

.PHONY: command kernels library
command: $(SINKPROOF)
kernels: $(KERNEL_FAST) $(KERNEL_REF)
library: $(LIB_FAST) $(SHARED_FAST)

# ---- what people run ----

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: deps deps-proofs deps-fuzz certify check-adapters trace lint install help clean
deps: ## install what is needed (Debian 12, apt)
	$(SUDO) apt-get update -qq
	DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $(APT)

deps-proofs: ## install what the proofs need: Coq, Gappa, Frama-C, provers
	DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $(PROOF_APT)

deps-fuzz: ## install what the fuzzers need: clang and libFuzzer
	DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $(FUZZ_APT)

certify: command $(KERNEL) ## judge a kernel: make certify KERNEL=path.so; without KERNEL, our fast one
	$(SINKPROOF) certify $(KERNEL)

check-adapters: command adapters ## certify other projects' kernels, and check what is known of them
	$(PYTHON) tests/adapters.py $(SINKPROOF) $(BUILD)/adapters $(ADAPTERS)

trace: ## clause by clause: code, tests, proofs; fails on a gap
	$(PYTHON) .ci/trace.py

lint: ## formatting (clang-format 14) and the arrows between rooms
	$(PYTHON) .ci/deps.py
	clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' \
	  $(MAKEFILE_LIST)

clean: ## remove everything that was built
	rm -rf $(BUILD)

# ---- installation ----

install: all ## install into PREFIX (default /usr/local), below DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include/sinkproof \
	  $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(SINKPROOF) $(DESTDIR)$(PREFIX)/bin/
	install -m 644 include/sinkproof/*.h $(DESTDIR)$(PREFIX)/include/sinkproof/
	install -m 644 $(LIB_FAST) $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(SHARED_FAST) $(DESTDIR)$(PREFIX)/lib/
	ln -sf $(notdir $(SHARED_FAST)) $(DESTDIR)$(PREFIX)/lib/libsinkproof_fast.so
	install -m 755 $(KERNEL_FAST) $(DESTDIR)$(PREFIX)/lib/
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' certify/command/sinkproof.pc.in \
	  > $(DESTDIR)$(PREFIX)/lib/pkgconfig/sinkproof.pc
	sed 's|@VERSION@|$(VERSION)|' certify/command/sinkproof.1 > $(DESTDIR)$(PREFIX)/share/man/man1/sinkproof.1

-include tests/tests.mk
-include adapters/adapters.mk
-include certify/bench/bench.mk
-include proofs/proofs.mk
-include fuzz/fuzz.mk
-include tests/soak/soak.mk
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
