# Forebay: the one Makefile. `make help` lists what there is to do.
# Adding a file needs no edit here; adding a room is one word in ROOMS or TESTDIRS.

VERSION  := 0.1.0
PREFIX   ?= /usr/local
CC       ?= cc
CLANG    ?= clang
CFLAGS   ?= -O2 -g
PYTHON   ?= python3
Q        := $(if $(V),,@)

ifdef SAN # make check SAN=address,undefined   or   SAN=thread
OUT      ?= out/$(subst $() ,-,$(subst $(comma), ,$(SAN)))
CFLAGS   := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
SANFLAGS := -fsanitize=$(SAN)
HARDEN   :=
else
OUT      ?= out
HARDEN   := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection
endif
comma    := ,

WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	    -Wpointer-arith -Wwrite-strings -Wvla -Wundef -Wformat=2 -Wno-format-nonliteral
PKGS     := libevent libcurl json-c sqlite3 libsystemd inih libcrypto
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -DFOREBAY_VERSION='"$(VERSION)"' -I. -fPIC \
	    $(HARDEN) $(WARN) $(CFLAGS) -MMD -MP $(CPPFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now,--as-needed $(SANFLAGS) $(LDFLAGS)
LIBS      = $(shell pkg-config --libs $(PKGS)) -lm -pthread

# Low to high: a room may use what stands to its right.
ROOMS    ?= serve run store net job gate claude base
archive   = $(OUT)/lib$(notdir $(1)).a
objects   = $(patsubst %.c,$(OUT)/%.o,$(wildcard $(1)/*.c))
room_archives = $(foreach room,$(ROOMS),$(call archive,$(room))) $(call archive,protocol)
tests_of  = $(patsubst %.c,$(OUT)/%,$(wildcard $(1)/$(2)*.c))

UNIT_TESTS  = $(call tests_of,tests/unit,test_)
FUZZ_REPLAY = $(call tests_of,tests/fuzz,fuzz_)
BENCHES     = $(call tests_of,tests/bench,bench_)
EXAMPLES    = $(patsubst client/%.c,$(OUT)/%,$(wildcard client/examples/*.c))

.PHONY: all run check check-long check-claude-code bench bench-storm lint format deps install uninstall fuzz clean help FORCE
.DEFAULT_GOAL := all

all: $(OUT)/forebayd $(OUT)/forebay $(OUT)/libforebay.so $(OUT)/libforebay.a $(OUT)/fakeapi ## build the daemon, the command, the library and the fake API

run: deps ## install what is missing, build, send real prompts through the daemon, show the answers
	@$(MAKE) --no-print-directory all
	@OUT=$(OUT) $(PYTHON) tests/demo.py

check: deps ## install what is missing, build, lint, run every test
	@$(MAKE) --no-print-directory -j$$(nproc) all tests benches
	@OUT=$(OUT) SAN=$(SAN) $(PYTHON) tests/run.py

check-long: deps ## the long forms: 500 kills, 60 s a fuzzer, sanitizers
	@$(MAKE) --no-print-directory -j$$(nproc) all tests
	@OUT=$(OUT) LONG=1 $(PYTHON) tests/run.py
	@OUT=$(OUT) CLANG=$(CLANG) tests/fuzz/run.sh 60 || [ $$? -eq 77 ]
	@$(MAKE) --no-print-directory check SAN=address,undefined OUT=$(OUT)/address-undefined
	@$(MAKE) --no-print-directory check SAN=thread OUT=$(OUT)/thread

check-claude-code: deps ## Claude Code itself in a storm; npm brings it, 235 MB
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@OUT=$(OUT) $(PYTHON) tests/clients/npm.py claude-code
	@OUT=$(OUT) CLAUDE_CODE=1 $(PYTHON) tests/run.py 73_claude_code

bench: deps ## measure, each figure beside its baseline
	@$(MAKE) --no-print-directory -j$$(nproc) all benches
	@OUT=$(OUT) $(PYTHON) tests/bench/run.py $(BENCH)

bench-storm: deps ## forebayd in the simulator's weather, beside what users have today: 16 minutes (STORM=--quick: 15 s)
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@OUT=$(OUT) $(PYTHON) tests/bench/storm.py $(STORM)

tests: $(UNIT_TESTS) $(FUZZ_REPLAY) $(EXAMPLES) $(OUT)/libgate-sim.so $(OUT)/tests/clients/assemble
benches: $(BENCHES)
.PHONY: tests benches

deps:
	@.ci/deps

lint: ## layers, sizes, format, documents against tables
	@tests/lint/lint.sh

format: ## let clang-format lay out every C file
	@git ls-files '*.c' '*.h' | xargs clang-format -i

# --- what is built ---------------------------------------------------------

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(call archive,protocol): $(call objects,protocol)
	@rm -f $@; ar rcs $@ $^

define room_rule
$(call archive,$(1)): $(call objects,daemon/$(1))
	@mkdir -p $$(@D); rm -f $$@; ar rcs $$@ $$^
endef
$(foreach room,$(ROOMS),$(eval $(call room_rule,$(room))))

$(OUT)/forebayd: $(call objects,daemon) $(room_archives)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

LIB_SOURCES = client/forebay.c client/stream.c $(wildcard client/lib_*.c)
CLIENT_LIB  = $(LIB_SOURCES:%.c=$(OUT)/%.o) $(call objects,protocol)
CLIENT_CMD  = $(filter-out $(CLIENT_LIB) $(OUT)/client/main.o,$(call objects,client))
# The command is one of the library's users: it links it like anybody else.
CLIENT_ARCHIVES = $(call archive,command) $(OUT)/libforebay.a $(call archive,explain)
$(OUT)/forebay: $(OUT)/client/main.o $(CLIENT_ARCHIVES)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs json-c) -lm

$(call archive,command): $(CLIENT_CMD)
	@rm -f $@; ar rcs $@ $^

# `forebay explain` prints the table the daemon acts on; the table is data.
$(call archive,explain): $(OUT)/daemon/claude/errors.o
	@rm -f $@; ar rcs $@ $^

$(OUT)/libforebay.a: $(CLIENT_LIB)
	@rm -f $@; ar rcs $@ $^

$(OUT)/libforebay.so: $(CLIENT_LIB) client/forebay.map
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) -shared -Wl,-soname,libforebay.so.0 -Wl,--version-script=client/forebay.map \
		-Wl,--as-needed $(SANFLAGS) $(LDFLAGS) -o $@ $(CLIENT_LIB) $(shell pkg-config --libs json-c)

# As a user would: two headers and -lforebay, found here instead of in /usr.
$(EXAMPLES): $(OUT)/examples/%: client/examples/%.c $(OUT)/libforebay.so
	@mkdir -p $(@D); ln -sf libforebay.so $(OUT)/libforebay.so.0
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(WARN) $(CFLAGS) $(SANFLAGS) -Iclient -MMD -MP -o $@ $< \
		-L$(OUT) -Wl,-rpath,'$$ORIGIN/..' -lforebay

$(OUT)/fakeapi: $(call objects,tests/fakeapi) $(call archive,protocol)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs libevent json-c) -lm

# The gate alone, for the reference simulator (tests/storms); never sanitized:
# Python loads it.
$(OUT)/libgate-sim.so: daemon/gate/gate.c $(wildcard daemon/gate/*.h)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -I. -fPIC $(WARN) -O2 -g -shared -o $@ $< -lm

# Tests of the client have client or cli in their names, and link its archives.
CLIENT_TESTS = $(call tests_of,tests/unit,test_cli)
CLIENT_FUZZ  = $(call tests_of,tests/fuzz,fuzz_cli)
LIB_TESTS    = $(call tests_of,tests/unit,test_client)
$(LIB_TESTS): $(OUT)/tests/unit/fake_daemon.o
$(sort $(CLIENT_TESTS) $(LIB_TESTS)): $(OUT)/%: $(OUT)/%.o $(CLIENT_ARCHIVES)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

$(filter-out $(CLIENT_TESTS) $(LIB_TESTS),$(UNIT_TESTS)): $(OUT)/%: $(OUT)/%.o $(room_archives)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

$(BENCHES): $(OUT)/%: $(OUT)/%.o $(room_archives) $(OUT)/libforebay.a
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# A fuzz target with a main that replays its corpus; `make fuzz` uses libFuzzer.
$(CLIENT_FUZZ): $(OUT)/%: $(OUT)/%.o $(OUT)/tests/fuzz/replay.o $(CLIENT_ARCHIVES)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(filter-out $(CLIENT_FUZZ),$(FUZZ_REPLAY)): $(OUT)/%: $(OUT)/%.o $(OUT)/tests/fuzz/replay.o \
		$(room_archives)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# A recorded stream in, the daemon's Message out: for the stories that ask the SDK.
$(OUT)/tests/clients/assemble: $(OUT)/tests/clients/assemble.o $(room_archives)
	$(if $(V),,@echo "  LD    $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

fuzz: ## 60 s of libFuzzer a target (SECONDS=600 for more, TARGET=frame for one)
	@tests/fuzz/run.sh "$(or $(SECONDS),60)" "$(TARGET)"

# --- installing ------------------------------------------------------------

include systemd/install.mk

clean: ## remove everything that was built
	rm -rf out

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(filter-out %.d,$(MAKEFILE_LIST)) | expand -t 16

.SECONDARY:
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
