# SPDX-License-Identifier: Apache-2.0
# The proofs: included by the top Makefile. Everything is built under $(BUILD)/proofs, where the
# sources are copied first, so that the tree stays clean and a fault can be seeded into a copy.

PROOFS     := $(BUILD)/proofs
PROOF_SRC  := $(wildcard proofs/*.v proofs/*/*.v)
PROOF_COPY := $(PROOF_SRC:proofs/%=$(PROOFS)/%)
COQ        := coqc -q -w -notation-overridden,-ambiguous-paths -Q $(PROOFS) Sinkproof

$(PROOFS)/%.v: proofs/%.v
	@mkdir -p $(@D)
	@cp $< $@

$(PROOFS)/depends.mk: $(PROOF_COPY)
	@coqdep -Q $(PROOFS) Sinkproof $^ > $@

$(PROOFS)/%.vo: $(PROOFS)/%.v
	@echo "  COQC $*"
	@$(COQ) $<

ifneq ($(filter proofs%,$(MAKECMDGOALS)),)
-include $(PROOFS)/depends.mk
endif

.PHONY: proofs
proofs: $(PROOF_COPY:.v=.vo) ## check every theorem with Coq's kernel
