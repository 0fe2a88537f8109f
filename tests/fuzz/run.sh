#!/bin/sh
# run.sh SECONDS [TARGET] - libFuzzer with ASan and UBSan on every target (or one), from its corpus.
# New inputs stay in out/fuzz/corpus/TARGET; a crashing one is named and kept there.
set -eu
seconds=$1
only=${2:-}
out=${OUT:-out}/fuzz
clang=${CLANG:-clang}

if ! printf 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { (void)d; (void)n; return 0; }\n' |
	"$clang" -fsanitize=fuzzer,address -x c - -o /dev/null 2>/dev/null; then
	echo "fuzz: SKIPPED: $clang has no libFuzzer here (Debian: clang libclang-rt-14-dev)" >&2
	exit 77
fi

rooms=$(ls daemon/base/*.c daemon/claude/*.c daemon/gate/*.c protocol/*.c client/stream.c \
	daemon/serve/http_events.c daemon/serve/http_head.c daemon/serve/http_options.c)
libs=$(pkg-config --cflags --libs json-c inih libsystemd libcrypto)
failed=0
for source in tests/fuzz/fuzz_*.c; do
	target=$(basename "$source" .c)
	target=${target#fuzz_}
	[ -z "$only" ] || [ "$only" = "$target" ] || continue
	mkdir -p "$out/corpus/$target"
	# shellcheck disable=SC2086 # lists of words
	"$clang" -std=gnu17 -D_GNU_SOURCE -DFOREBAY_VERSION='"fuzz"' -I. -g -O1 \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o "$out/fuzz_$target" "$source" $rooms $libs -lm
	echo "fuzz: $target for $seconds s"
	"$out/fuzz_$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 \
		-artifact_prefix="$out/corpus/$target/" -print_final_stats=1 -verbosity=0 \
		"$out/corpus/$target" "tests/fuzz/corpus/$target" >"$out/$target.log" 2>&1 || {
		failed=$((failed + 1))
		tail -40 "$out/$target.log"
		echo "fuzz: $target FAILED"
	}
	grep -h 'number_of_executed_units' "$out/$target.log" | sed "s/^/fuzz: $target /" || true
done
echo "fuzz: $failed targets failed"
[ "$failed" -eq 0 ]
