# SPDX-License-Identifier: Apache-2.0
# sinkproof: certifies attention kernels that have sinks. `make help` lists the targets.

VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local
CC      ?= cc
AR      ?= ar
OPT     ?= -O2 -g

-include config.mk

WARN  := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
         -Wmissing-prototypes -Werror
BASE  := -std=c11 -D_GNU_SOURCE -fPIC -ffp-contract=off -fno-fast-math -fvisibility=hidden \
         -I. -Iinclude -DSP_VERSION='"$(VERSION)"' $(WARN) -MMD -MP
COMPILE = $(CC) $(BASE) $(ROOM) $(OPT) $(CFLAGS)

# Flags that belong to a room.
$(BUILD)/obj/ref/%: private ROOM := -frounding-math
$(BUILD)/obj/certify/%: private ROOM := -frounding-math
$(BUILD)/obj/fast/avx512/%: private ROOM := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c

MPFR_LIBS := -lmpfi -lmpfr -lgmp -lm
objects = $(patsubst %,$(BUILD)/obj/%.o,$(1))

REF_SRC     := $(wildcard ref/*.c)
FAST_SRC    := $(wildcard fast/*.c fast/*/*.c fast/*/*.S)
CERTIFY_SRC := $(filter-out certify/main.c,$(wildcard certify/*.c certify/*/*.c))
TEST_SRC    := $(wildcard tests/*.c)

LIB_REF     := $(BUILD)/lib/libsinkproof_ref.a
LIB_FAST    := $(BUILD)/lib/libsinkproof_fast.a
LIB_CERTIFY := $(BUILD)/lib/libsinkproof_certify.a
KERNEL_FAST := $(BUILD)/lib/kernel_fast.so
KERNEL_REF  := $(BUILD)/lib/kernel_ref.so
SINKPROOF   := $(BUILD)/bin/sinkproof
TEST_RUNNER := $(BUILD)/bin/check

.PHONY: all help clean
all: $(SINKPROOF) $(KERNEL_FAST) $(KERNEL_REF) ## build the command, the libraries and our two kernels

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

$(LIB_REF): $(call objects,$(REF_SRC))
$(LIB_FAST): $(call objects,$(FAST_SRC))
$(LIB_CERTIFY): $(call objects,$(CERTIFY_SRC))
$(BUILD)/lib/%.a:
	@mkdir -p $(@D) && rm -f $@
	$(AR) rcs $@ $^

$(KERNEL_FAST): $(LIB_FAST)
$(KERNEL_REF): $(LIB_REF)
$(BUILD)/lib/kernel_%.so: $(BUILD)/obj/certify/export/%.o
	$(CC) -shared $(OPT) $(CFLAGS) -o $@ $^ $(MPFR_LIBS)

$(SINKPROOF): $(call objects,certify/main.c) $(LIB_CERTIFY) $(LIB_REF)
	@mkdir -p $(@D)
	$(CC) $(OPT) $(CFLAGS) -o $@ $^ -lcjson -ldl $(MPFR_LIBS)

$(BUILD)/obj/%.c.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<
$(BUILD)/obj/%.S.o: %.S
	@mkdir -p $(@D)
	$(CC) -c $(OPT) $(CFLAGS) -o $@ $<

clean: ## remove everything that was built
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
