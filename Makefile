# gradtool: `make help` lists the targets.
#
# Sources are found, not listed. Files named op_*.c and kernel_*.c hold kernels: they are compiled once for the program
# and once more for each variant (number type and instruction set); the program picks a variant at start.

BUILD  ?= release
PREFIX ?= /usr/local
CC     ?= cc
V      ?=

ifeq ($(origin CC),default)
CC := cc
endif

COMPILER := $(notdir $(firstword $(CC)))
OUT      := build/$(BUILD)$(if $(filter-out cc gcc,$(COMPILER)),-$(COMPILER))
PACKAGES := openblas libcjson libpng zlib libedit
VERSION  := 0.1.0

CPPFLAGS += -Isrc -D_DEFAULT_SOURCE -D_POSIX_C_SOURCE=200809L -DGRADTOOL_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PACKAGES))
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Werror
CFLAGS_release := -O2 -g
CFLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan    := -O1 -g -fsanitize=thread
CFLAGS   += -std=c11 $(WARNINGS) $(CFLAGS_$(BUILD)) -pthread -fno-math-errno -fno-trapping-math
LDLIBS   += $(shell pkg-config --libs $(PACKAGES)) -lm -pthread
TESTLIBS := -lcmocka

ifneq ($(findstring clang,$(COMPILER)),)
CFLAGS += -Wno-pass-failed # a loop that cannot be vectorised is no mistake
endif

# Kernel variants: name, flags. No -ffast-math: NaN and infinity are what this program looks for.
KERNEL_FLAGS := $(if $(filter release,$(BUILD)),-O3) -ffp-contract=fast
VARIANTS := f32 f64
ifneq ($(filter x86_64%,$(shell $(CC) -dumpmachine)),)
VARIANTS += f32_avx2 f32_avx512
endif
VARIANT_f32        := -DKERNEL_F32
VARIANT_f64        := -DKERNEL_F64
VARIANT_f32_avx2   := -DKERNEL_F32 -DKERNEL_AVX2 -mavx2 -mfma
VARIANT_f32_avx512 := -DKERNEL_F32 -DKERNEL_AVX512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512

SOURCES  := $(filter-out src/cli/main.c,$(sort $(wildcard src/*/*.c)))
KERNELS  := $(filter $(addsuffix %,$(wildcard src/*/op_*.c src/*/kernel_*.c)),$(SOURCES))
OBJECTS  := $(SOURCES:%.c=$(OUT)/%.o) $(foreach v,$(VARIANTS),$(KERNELS:%.c=$(OUT)/%.$(v).o))
TESTS    := $(patsubst tests/%.c,$(OUT)/tests/%,$(wildcard tests/test_*.c))
SUPPORT  := $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/support_*.c))
HEADERS  := $(wildcard src/*/*.h)
FORMATTED := $(wildcard src/*/*.c src/*/*.h tests/*.c tests/*.h tools/*.c)
say      := $(if $(V),,@)

.PHONY: all check unit cli lint floors headers layout tidy cppcheck format bench zoo science install clean help
all: $(OUT)/gradtool ## build build/<variant>/gradtool

$(OUT)/gradtool: $(OUT)/src/cli/main.o $(OUT)/libgradtool.a
	$(say)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/libgradtool.a: $(OBJECTS)
	$(say)rm -f $@ && ar rcs $@ $^

$(OUT)/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	$(say)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define variant_rule
$(OUT)/%.$(1).o: %.c $(OUT)/flags
	@mkdir -p $$(@D)
	$$(say)$$(CC) $$(CPPFLAGS) $$(CFLAGS) $$(KERNEL_FLAGS) $$(VARIANT_$(1)) -MMD -MP -c -o $$@ $$<
endef
$(foreach v,$(VARIANTS),$(eval $(call variant_rule,$(v))))

# Rewritten only when the flags change, so that nothing is rebuilt without need.
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(KERNEL_FLAGS) $(VARIANTS)' | cmp -s - $@ || echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(KERNEL_FLAGS) $(VARIANTS)' > $@
.SECONDARY:
.PHONY: FORCE
FORCE:

$(OUT)/tests/%: $(OUT)/tests/%.o $(SUPPORT) $(OUT)/libgradtool.a
	$(say)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(TESTLIBS)

unit: $(TESTS) ## unit tests alone
	$(say)failed=; for t in $(TESTS); do $$t || failed="$$failed $$t"; done; \
	  if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

cli: $(OUT)/gradtool ## tests of the command line alone
	$(say)GRADTOOL=$(abspath $(OUT)/gradtool) sh tests/run_cli.sh

check: unit cli ## all tests; BUILD=asan for the address and undefined-behaviour sanitizers

floors: ## each floor includes only the floors below it
	$(say)sh tools/check_floors.sh

headers: $(HEADERS:%.h=$(OUT)/%.header) ## each header compiles alone
$(OUT)/%.header: %.h $(OUT)/flags
	@mkdir -p $(@D)
	$(say)$(CC) $(CPPFLAGS) $(CFLAGS) -x c -fsyntax-only $< && touch $@

layout:
	$(say)clang-format --dry-run -Werror $(FORMATTED)

tidy: $(patsubst %.c,$(OUT)/%.tidy,$(SOURCES) src/cli/main.c)
$(OUT)/%.tidy: %.c $(HEADERS) $(wildcard src/*/*.def) .clang-tidy $(OUT)/flags
	@mkdir -p $(@D)
	$(say)clang-tidy --quiet $< -- -std=c11 $(CPPFLAGS) && touch $@

cppcheck:
	$(say)cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -Isrc -DGRADTOOL_VERSION='""' src
lint: floors headers layout cppcheck tidy ## clang-tidy, cppcheck, clang-format, floors, headers

format: ## clang-format over all C files
	$(say)clang-format -i $(FORMATTED)

bench: $(OUT)/gradtool ## time the workloads of configs/bench; beside PyTorch where it is installed
	$(say)GRADTOOL=$(OUT)/gradtool sh tools/bench.sh

zoo: $(OUT)/gradtool ## score the diagnosis on the labelled runs of configs/zoo (needs Python)
	$(say)GRADTOOL=$(OUT)/gradtool sh tools/zoo.sh --compare

science: $(OUT)/gradtool ## train the experiments with known answers and compare (needs Python with NumPy, and gnuplot)
	$(say)GRADTOOL=$(OUT)/gradtool sh tools/science.sh

install: $(OUT)/gradtool ## install to PREFIX (default /usr/local)
	install -D -m 755 $(OUT)/gradtool $(DESTDIR)$(PREFIX)/bin/gradtool

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z][a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 20

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
