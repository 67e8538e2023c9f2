# SPDX-License-Identifier: Apache-2.0
# The proofs: included by the top Makefile. Everything is built under $(BUILD)/proofs, where the
# sources are copied first, so that the tree stays clean and a fault can be seeded into a copy.

PROOF_APT := coq libcoq-flocq libcoq-coquelicot libcoq-interval libcoq-gappa gappa ocaml-findlib \
  frama-c-base why3 z3 cvc4 cvc5 binutils clang

PROOF_DIR  ?= proofs
PROOFS     := $(BUILD)/proofs
PROOF_SRC  := $(wildcard $(PROOF_DIR)/*.v $(PROOF_DIR)/*/*.v)
PROOF_COPY := $(PROOF_SRC:$(PROOF_DIR)/%=$(PROOFS)/%)
# The leaves whose bytes are proved.
LEAVES     := exp16 exp64 exp128
LEAF_SRC   := $(LEAVES:%=fast/avx512/%.S)
COSIM_LANES ?= 100000
COSIM_SEED  ?= 1

$(PROOF_COPY): $(PROOFS)/%.v: $(PROOF_DIR)/%.v
	@mkdir -p $(@D)
	@cp $< $@

$(PROOFS)/depends.mk: $(PROOF_COPY)
	@coqdep -Q $(PROOFS) Sinkproof $^ > $@

$(PROOFS)/%.vo: $(PROOFS)/%.v
	@echo "  COQC $*"
	@cd $(PROOFS) && coqc -q -w -notation-overridden,-ambiguous-paths -Q . Sinkproof $*.v

ifneq ($(filter proofs% mutate-proofs,$(MAKECMDGOALS)),)
-include $(PROOFS)/depends.mk
endif

.PHONY: proofs proofs-holes proofs-check proofs-accept proofs-bytes proofs-accept-bytes proofs-header proofs-accept-header proofs-wp \
        proofs-coqchk proofs-cosim proofs-bound proofs-replay proofs-exhaustive mutate-proofs
proofs: proofs-holes $(PROOF_COPY:.v=.vo) ## check every theorem with Coq's kernel

# A hole would make everything after it worthless, so no file may even mention one.
proofs-holes:
	@! grep -nwE 'Admitted|admit|Axiom|Axioms|Parameter|Parameters|Conjecture|bypass_check|Unset Guard Checking' \
	  $(PROOF_SRC)

proofs-check: proofs ## compare all theorems and their axioms with proofs/claims.txt
	@$(PROOF_DIR)/claims.sh $(PROOFS) > $(PROOFS)/claims.txt
	@diff -u $(PROOF_DIR)/claims.txt $(PROOFS)/claims.txt
	@! grep 'assumes' $(PROOF_DIR)/claims.txt | grep -vE 'nothing|sig_not_dec|sig_forall_dec|functional_extensionality_dep|Classical_Prop.classic'
	@$(PROOF_DIR)/export/proved.sh $(PROOF_DIR)/claims.txt | diff -u certify/judge/proved.h -
	@echo "  $$(grep -c theorem $(PROOF_DIR)/claims.txt) theorems, axioms as recorded"

proofs-accept: proofs ## record the theorems and axioms of today in proofs/claims.txt
	@$(PROOF_DIR)/claims.sh $(PROOFS) > $(PROOF_DIR)/claims.txt
	@$(PROOF_DIR)/export/proved.sh $(PROOF_DIR)/claims.txt > certify/judge/proved.h

# The bytes in the theorems are those of the leaves, under two assemblers, and those that certify
# compares with what it has loaded. (`make check` looks at the linked library: tests/leaves.py.)
$(PROOFS)/obj/bytes.%: $(LEAF_SRC) fast/avx512/leaf.h fast/avx512/stages.h fast/exp_constants.h
	@mkdir -p $(@D)
	@for leaf in $(LEAVES); do $* -I. -c -o $(PROOFS)/obj/$$leaf.$*.o fast/avx512/$$leaf.S || exit 1; done
	@$(PROOF_DIR)/obj/bytes.sh $(foreach leaf,$(LEAVES),sp_$(leaf)=$(PROOFS)/obj/$(leaf).$*.o) > $@

proofs-bytes: $(PROOFS)/obj/bytes.gcc $(PROOFS)/obj/bytes.clang ## compare the assembled leaves with the bytes in the theorems
	@for as in gcc clang; do diff -u $(PROOF_DIR)/obj/Bytes.v $(PROOFS)/obj/bytes.$$as || exit 1; done
	@$(PROOF_DIR)/export/proved_bytes.sh $(PROOF_DIR)/obj/Bytes.v | diff -u certify/judge/proved_bytes.h -
	@echo "  $(LEAVES): the bytes in the theorems"

proofs-accept-bytes: $(PROOFS)/obj/bytes.gcc ## take the bytes of today into the theorems, which then have to hold
	@cp $< $(PROOF_DIR)/obj/Bytes.v
	@$(PROOF_DIR)/export/proved_bytes.sh $(PROOF_DIR)/obj/Bytes.v > certify/judge/proved_bytes.h

# The constants in C are those of the theorems: the headers are printed by Coq, each by a term of
# export/Header.v.
HEADERS := fast/exp_constants.h=header fast/tile_constants.h=tile_header certify/judge/class_constants.h=class_header
define print_headers
	@for h in $(HEADERS); do echo "let () = print_string Sp_header.$${h#*=}" > $(PROOFS)/print_header.ml; \
	  (cd $(PROOFS) && rm -f sp_header.mli && \
	   ocamlfind ocamlopt -w -a sp_header.ml print_header.ml -o print_header) || exit 1; \
	  mkdir -p $(1)/$$(dirname $${h%=*}); $(PROOFS)/print_header > $(1)/$${h%=*} || exit 1; done
endef
proofs-header: $(PROOFS)/export/Header.vo ## print the generated headers of constants from Coq and compare
	$(call print_headers,$(PROOFS)/headers)
	@for h in $(HEADERS); do diff -u $${h%=*} $(PROOFS)/headers/$${h%=*} || exit 1; done
	@echo "  $(foreach h,$(HEADERS),$(firstword $(subst =, ,$(h)))): the numbers of the theorems"

proofs-accept-header: $(PROOFS)/export/Header.vo ## take the numbers of the theorems into the headers
	$(call print_headers,.)

# The SMT tier, a run for each part. What slots.c only uses of the ring is proved with the ring.
WP_PARTS    := ring slots evict
RING_PROVED := $(shell grep -oE 'sp_fast_ring_[a-z_]+' fast/ring.h | sort -u)
empty       :=
comma       := ,
proofs-wp-slots: private WP_SKIP := -wp-skip-fct $(subst $(empty) ,$(comma),$(RING_PROVED))
.PHONY: $(WP_PARTS:%=proofs-wp-%)
proofs-wp: $(WP_PARTS:%=proofs-wp-%) ## discharge the C contracts of the two caches' eviction and slots; fails on anything unproved

# why3 1.5.1 does not know cvc5 1.0.3, so it is told.
$(PROOFS)/why3.conf:
	@mkdir -p $(@D)
	@WHY3CONFIG=$(abspath $@) why3 config detect > $(PROOFS)/why3.log 2>&1
	@printf '%s\n' '[prover]' 'command = "cvc5 --tlimit=%t000 --lang=smt2 %f"' 'driver = "cvc4_16"' \
	  'in_place = false' 'interactive = false' 'name = "CVC5"' 'shortcut = "cvc5"' 'version = "1.0.3"' \
	  >> $@
$(WP_PARTS:%=proofs-wp-%): proofs-wp-%: $(PROOFS)/why3.conf
	@WHY3CONFIG=$(abspath $<) frama-c -wp -wp-rte -warn-unsigned-overflow -wp-smoke-tests \
	  -wp-prover z3,cvc4,cvc5 -wp-timeout 60 -wp-par 2 -cpp-extra-args="-I. -Iinclude" $(WP_SKIP) \
	  $(PROOF_DIR)/acsl/$*.c > $(PROOFS)/wp-$*.log 2>&1 || { tail -20 $(PROOFS)/wp-$*.log; exit 1; }
	@grep -E 'Proved goals' $(PROOFS)/wp-$*.log
	@grep -qE 'Proved goals: +([0-9]+) / \1$$' $(PROOFS)/wp-$*.log || \
	  { grep -E 'Timeout|Unknown|Failed|Doomed' $(PROOFS)/wp-$*.log; exit 1; }

# Interval.Tactic (and our instance of it) holds a lemma on which coqchk's conversion does not
# finish, so those two are admitted there; what does not use them is checked down to the ground.
CHECKED_FULLY := Spec $(patsubst $(PROOF_DIR)/%.v,%,$(wildcard $(PROOF_DIR)/math/*.v $(PROOF_DIR)/cache/*.v)) \
                 bound/Near bound/Constants bound/Model bound/Row bound/Output bound/Lse bound/Flush bound/Far \
                 bound/LogitInput bound/LogitRotated
as_library = Sinkproof.$(subst /,.,$(1))
proofs-coqchk: proofs ## check the compiled proofs again with Coq's stand-alone checker
	@cd $(PROOFS) && coqchk -bytecode-compiler yes -Q . Sinkproof -silent \
	  $(foreach file,$(CHECKED_FULLY),$(call as_library,$(file)))
	@cd $(PROOFS) && coqchk -bytecode-compiler yes -Q . Sinkproof -silent -admit Interval.Tactic \
	  -admit Sinkproof.float.IntervalZ Sinkproof.obj.StepCorrect Sinkproof.obj.WideCorrect Sinkproof.bound.Classes \
	  Sinkproof.float.Certified Sinkproof.float.FarWeight

# The instruction model against this CPU (tier T).
proofs-cosim: $(PROOFS)/export/Executable.vo ## compare the instruction model with this CPU
	@cp $(PROOF_DIR)/isa/cosim.ml $(PROOFS)/ && cd $(PROOFS) && rm -f sp_model.mli && \
	  ocamlfind ocamlopt -w -a -inline 200 -unsafe sp_model.ml cosim.ml -o cosim_model
	@$(CC) -O2 -std=c11 -mavx512f -ffp-contract=off -I. -o $(PROOFS)/cosim_cpu \
	  $(PROOF_DIR)/isa/cosim.c $(LEAF_SRC)
	@$(PROOFS)/cosim_cpu $(COSIM_LANES) $(COSIM_SEED) > $(PROOFS)/cosim.txt
	@$(PROOFS)/cosim_model $(COSIM_LANES) < $(PROOFS)/cosim.txt

# The exponential on every binary32 argument (tier T); EXHAUSTIVE_SHARD=i/n takes one shard of n.
EXHAUSTIVE_SHARD ?= 0/1
proofs-exhaustive: $(LIB_FAST) ## the exponential on all 2^32 arguments against MPFR and each other
	@mkdir -p $(PROOFS)
	@$(CC) -O2 -std=c11 -D_GNU_SOURCE -mavx512f -ffp-contract=off -I. -Iinclude -o $(PROOFS)/exhaustive \
	  $(PROOF_DIR)/float/exhaustive.c $(LIB_FAST) -lmpfr -lgmp -lm
	@$(PROOFS)/exhaustive $(EXHAUSTIVE_SHARD)

# The judge's bound against the theorem's (tier T: the enclosure is proved, its extraction and the
# comparison are not). A judge that is too small by 2^-40 must be noticed.
BOUND_ROWS ?= 100
BOUND_LOGITS ?= 500
BOUND_TURNS ?= 60
define compare_bound # program that prints, how many, what the comparison is told
	@$(PROOFS)/$(1) $(2) $(COSIM_SEED) > $(PROOFS)/$(1).txt
	@$(PROOFS)/bound_compare $(2) $(3) < $(PROOFS)/$(1).txt
	@$(PROOFS)/$(1) 30 $(COSIM_SEED) 40 > $(PROOFS)/bound_fault.txt
	@! $(PROOFS)/bound_compare 30 $(3) < $(PROOFS)/bound_fault.txt > $(PROOFS)/bound_fault.log || \
	  { echo "$(1): a judge that is too small is not noticed"; exit 1; }
endef
proofs-bound: $(PROOFS)/export/Bound.vo $(LIB_CERTIFY) $(LIB_REF) ## compare the judge's bound with an enclosure extracted from Coq
	@cp $(PROOF_DIR)/bound/compare.ml $(PROOFS)/ && cd $(PROOFS) && rm -f sp_bound.mli && \
	  ocamlfind ocamlopt -w -a -inline 200 -unsafe sp_bound.ml compare.ml -o bound_compare
	@for rows in bound_rows logit_rows turn_rows; do \
	  $(CC) -O1 -std=c11 -D_GNU_SOURCE -frounding-math -I. -Iinclude -o $(PROOFS)/$$rows \
	    tests/proofs/$$rows.c tests/proofs/logits.c tests/random_row.c $(LIB_CERTIFY) $(LIB_REF) $(MPFR_LIBS) || exit 1; done
	$(call compare_bound,bound_rows,$(BOUND_ROWS),)
	$(call compare_bound,logit_rows,$(BOUND_LOGITS),logits)
	$(call compare_bound,turn_rows,$(BOUND_TURNS),rotated)

# The eviction state machine against the caches of our two kernels and the fast path's ring (tier T).
proofs-replay: $(PROOFS)/export/Executable.vo $(KERNEL_REF) $(KERNEL_FAST) ## replay streams on the extracted cache
	@cp $(PROOF_DIR)/cache/replay.ml $(PROOFS)/ && cd $(PROOFS) && rm -f sp_model.mli && \
	  ocamlfind ocamlopt -w -a sp_model.ml replay.ml -o replay_model
	@$(CC) -std=c11 -D_GNU_SOURCE -I. -Iinclude -o $(PROOFS)/replay_c $(PROOF_DIR)/cache/replay.c -ldl
	@$(PROOFS)/replay_c 2000 $(COSIM_SEED) $(abspath $(KERNEL_REF) $(KERNEL_FAST)) > $(PROOFS)/replay.txt
	@$(PROOFS)/replay_model 2000 < $(PROOFS)/replay.txt

mutate-proofs: proofs ## seed faults into copies; each must turn a named proof or check red
	@$(PROOF_DIR)/mutate.sh $(PROOFS)
