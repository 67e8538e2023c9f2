# SPDX-License-Identifier: Apache-2.0
# A long stream through the fast cache: included by the top Makefile. The inputs are a function of
# the seed and the token's number, so a stream can be taken up at any token: SOAK_START=n.

SOAK_TOKENS  ?= 4000000
SOAK_APPENDS ?= 1000000000
SOAK_START   ?= 0
SOAK_SEED    ?= 1
SOAK         := $(BUILD)/bin/soak

$(SOAK): $(call objects,$(wildcard tests/soak/*.c)) $(LIB_CERTIFY) $(LIB_FAST) $(LIB_REF)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) $(OPT) $(CFLAGS) -o $@ $^ $(COMMAND_LIBS)

.PHONY: soak soak-short
soak: $(SOAK) ## millions of tokens through the fast cache: SOAK_TOKENS=, SOAK_APPENDS=, SOAK_START=, SOAK_SEED=
	$(SOAK) $(SOAK_TOKENS) $(SOAK_APPENDS) $(SOAK_START) $(SOAK_SEED) 8

# A turn of the ring across 2^31, two across 2^32, one head judged at a time; and a planted fault that
# must be noticed.
soak-short: $(SOAK)
	$(SOAK) 1300 0 2147482400 $(SOAK_SEED) 1 > $(BUILD)/soak-31.txt
	$(SOAK) 2100 9000000 4294966000 $(SOAK_SEED) 1
	$(SOAK) 200 0 0 $(SOAK_SEED) 1 fault > $(BUILD)/soak-fault.txt; test $$? = 1

check-parts: soak-short
check-rooms: $(SOAK)
