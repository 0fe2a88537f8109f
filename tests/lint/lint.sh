#!/bin/sh
# lint.sh - what a reviewer should not have to say: layers, sizes, layout,
# documents against tables, leftovers. One line a finding, FILE:LINE: what.
set -u
cd "$(dirname "$0")/../.."
found=0

# What is in git or would be; a tree without git: everything but what was built.
files()
{
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard
	else
		find . -path ./out -prune -o -type f -print | sed 's|^\./||'
	fi | while read -r file; do
		[ -f "$file" ] && echo "$file"
	done
}
all=$(files)
code=$(echo "$all" | grep '\.[ch]$')

# shellcheck disable=SC2086 # lists of words, here and below
awk -f tests/lint/layers.awk tests/lint/layers.txt $code || found=1
# shellcheck disable=SC2086
awk -f tests/lint/sizes.awk $code || found=1
tests/lint/docs.sh || found=1

if command -v clang-format >/dev/null; then
	# shellcheck disable=SC2086
	clang-format --dry-run -Werror $code 2>&1 |
		sed -n 's/^\([^ :]*:[0-9]*\):[0-9]*: .*/\1: not as clang-format lays it out/p' |
		uniq | grep . && found=1
else
	echo "lint: clang-format is missing: the layout of the code was NOT checked"
fi

# Notes to oneself, and paths of the machine something was written on. (The
# brackets keep the patterns from finding themselves.)
# shellcheck disable=SC2086
grep -nIE '\b(TO[D]O|FI[X]ME|X[X]X)\b' $all |
	sed 's/^\([^:]*:[0-9]*\):.*/\1: a note to oneself/' | grep . && found=1
# shellcheck disable=SC2086
grep -nIE '(^|[^A-Za-z0-9_./~-])/([w]ork|t[m]p/out[A-Za-z0-9_-]*)(/|[^A-Za-z0-9_/-]|$)' $all |
	sed 's/^\([^:]*:[0-9]*\):.*/\1: a path of one machine/' | grep . && found=1

[ $found -eq 0 ] && echo "lint: clean"
exit $found
