# SPDX-License-Identifier: Apache-2.0
# Third-party kernels behind the ABI. Included by the top Makefile. What is fetched lies in
# $(THIRD_PARTY), what is built in $(BUILD)/adapters; nothing of it is ever committed.

THIRD_PARTY ?= $(BUILD)/third-party
PYTHON      ?= python3

# Debian packages that the adapters need beyond those of the core.
ADAPTER_APT := g++ libdnnl-dev libxnnpack-dev libpthreadpool-dev libopenblas-dev python3-pip \
               maven

ADAPTERS     := onednn ggml onnxruntime xnnpack openblas torch
ADAPTER_LIBS := $(ADAPTERS:%=$(BUILD)/adapters/%.so)
FETCHED      := $(THIRD_PARTY)/ggml/.fetched $(THIRD_PARTY)/onnxruntime/.fetched \
                $(THIRD_PARTY)/torch/.fetched

.PHONY: adapters adapters-fetch
adapters: $(ADAPTER_LIBS) ## fetch kernels of other projects and build them behind our ABI
adapters-fetch: $(FETCHED) ## download those kernels, by pinned version and sum

$(THIRD_PARTY)/%/.fetched: adapters/fetch adapters/pins/%.txt
	@echo "  FETCH $*"
	@PYTHON=$(PYTHON) adapters/fetch $* $(THIRD_PARTY)

ADAPTER_COMMON := $(call objects,$(wildcard adapters/*.c))
adapter_objects = $(call objects,$(wildcard adapters/$(1)/*.c)) $(ADAPTER_COMMON)

# Their own part is unit-tested without any third party.
$(BUILD)/bin/check: $(ADAPTER_COMMON) $(call objects,adapters/onnxruntime/half.c adapters/torch/mask.c)

# ---- oneDNN: Debian's library
$(BUILD)/adapters/onednn.so: $(call adapter_objects,onednn)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) -shared $(OPT) $(CFLAGS) -o $@ $^ -ldnnl -lgomp -pthread

# ---- XNNPACK: Debian's library, which forgets to ask for pthreadpool's header
$(BUILD)/adapters/xnnpack.so: $(call adapter_objects,xnnpack)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) -shared $(OPT) $(CFLAGS) -o $@ $^ -lXNNPACK -lpthreadpool -pthread

# ---- OpenBLAS: Debian's library; the softmax between its products is ours to compile
$(BUILD)/obj/adapters/openblas/rows.c.o: private BASE := $(filter-out -fno-fast-math,$(BASE))
$(BUILD)/obj/adapters/openblas/rows.c.o: private ROOM := \
  -march=native -mprefer-vector-width=512 -ffast-math -ftree-vectorize -fvect-cost-model=unlimited
$(BUILD)/adapters/openblas.so: $(call adapter_objects,openblas)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(CC) -shared $(OPT) $(CFLAGS) -o $@ $^ -lopenblas -lmvec -lm -pthread

# ---- ONNX Runtime: the wheel's library, found beside the adapter
$(BUILD)/adapters/libonnxruntime.so.1: $(THIRD_PARTY)/onnxruntime/.fetched
	@mkdir -p $(@D)
	@cp $(<D)/$(@F) $@

$(BUILD)/adapters/onnxruntime.so: $(call adapter_objects,onnxruntime) \
                                  $(BUILD)/adapters/libonnxruntime.so.1
	@echo "  LD    $@"
	@$(CC) -shared $(OPT) $(CFLAGS) -o $@ $^ -pthread -Wl,-rpath,'$$ORIGIN'

# ---- libtorch: 450 MB, so they stay where they were unpacked. Its OpenMP library calls itself
# libgomp.so.1; linked by that name, the adapter would get Debian's as a second one.
TORCH_OPENMP := libgomp-98b21ff3.so.1
TORCH_LIBS   := libtorch_cpu.so libc10.so $(TORCH_OPENMP)
$(addprefix $(BUILD)/adapters/,$(TORCH_LIBS)): $(THIRD_PARTY)/torch/.fetched
	@mkdir -p $(@D)
	@ln -sf $(abspath $(<D))/$(@F) $@

$(BUILD)/adapters/torch.so: $(call adapter_objects,torch) $(addprefix $(BUILD)/adapters/,$(TORCH_LIBS))
	@echo "  LD    $@"
	@$(CC) -shared $(OPT) $(CFLAGS) -o $@ $(filter-out %/$(TORCH_OPENMP),$^) -pthread -Wl,-rpath,'$$ORIGIN'

# ---- ggml: its sources, compiled as its own build does by default (release, for this machine)
GGML      := $(THIRD_PARTY)/ggml
GGML_OPT  ?= -O3 -march=native
GGML_BASE := $(addprefix $(BUILD)/adapters/ggml/,$(addsuffix .o,ggml.c ggml.cpp ggml-alloc.c \
  ggml-backend.cpp ggml-backend-meta.cpp ggml-quants.c ggml-threading.cpp gguf.cpp))
GGML_CPU  := $(addprefix $(BUILD)/adapters/ggml/ggml-cpu/,$(addsuffix .o,amx/amx.cpp amx/mmq.cpp \
  arch/x86/quants.c arch/x86/repack.cpp binary-ops.cpp ggml-cpu.c ggml-cpu.cpp hbm.cpp ops.cpp \
  quants.c repack.cpp tiled/tiled.cpp tiled/tiled-kernel.cpp traits.cpp unary-ops.cpp vec.cpp))
GGML_FLAGS = -w -fPIC -fvisibility=hidden -DNDEBUG -D_GNU_SOURCE -DGGML_SCHED_MAX_COPIES=4 \
  -DGGML_USE_CPU_REPACK -DGGML_USE_OPENMP -fopenmp -I$(GGML) -I$(GGML)/ggml/include -I$(GGML)/ggml/src \
  -I$(GGML)/ggml/src/ggml-cpu $(GGML_OPT)

$(BUILD)/adapters/ggml/%.c.o: $(GGML)/.fetched
	@mkdir -p $(@D)
	@echo "  CC    ggml/$*.c"
	@$(CC) -std=gnu11 $(GGML_FLAGS) -c -o $@ $(GGML)/ggml/src/$*.c
$(BUILD)/adapters/ggml/%.cpp.o: $(GGML)/.fetched
	@mkdir -p $(@D)
	@echo "  CXX   ggml/$*.cpp"
	@$(CXX) -std=gnu++17 $(GGML_FLAGS) -c -o $@ $(GGML)/ggml/src/$*.cpp

$(BUILD)/obj/adapters/ggml/%: private ROOM := -isystem $(GGML) -isystem $(GGML)/ggml/include
$(call objects,$(wildcard adapters/ggml/*.c)): | $(GGML)/.fetched

$(BUILD)/adapters/ggml.so: $(call adapter_objects,ggml) $(GGML_BASE) $(GGML_CPU)
	@echo "  LD    $@"
	@$(CXX) -shared $(OPT) $(CFLAGS) -o $@ $^ -fopenmp -pthread
