#!/bin/sh
# docs.sh - documents against tables: a word of the product that stands in a
# table must stand in its document, and the README's map must equal the tree.
set -u
cd "$(dirname "$0")/../.."
found=0

complain()
{
	echo "$1"
	found=1
}

# expect FILE PATTERN WHAT: a line of FILE must match
expect()
{
	grep -qE -e "$2" "$1" || complain "$1:1: $3 is not described"
}

# The names in column $2 of the X-macro table in FILE $1, rows of which begin with X(.
column()
{
	sed -n 's/^[ \t]*X(//p' "$1" | awk -F '[ \t]*,[ \t]*' -v n="$2" '{ gsub(/"/, "", $n); print $n }'
}

page=protocol/PROTOCOL.md
for verb in $(column protocol/verbs.h 2); do
	expect $page "^### .*\b$verb\b" "verb $verb"
done
for error in $(column protocol/errors.h 2); do
	expect $page "^\| \`$error\` \|" "error $error"
done
for state in $(column protocol/states.h 3); do
	expect $page "^\| \`$state\` \|" "state $state"
done
for frame in $(column protocol/frame.h 1); do
	expect $page "^\| *[0-9]+ \| $frame \|" "frame type $frame"
done

# Keys of the configuration: rows { "section", "name", ... of the table.
keys=$(sed -n 's/^\t{ *"[a-z]*", *"\([a-z_]*\)".*/\1/p' daemon/base/config_table.c)
[ -n "$keys" ] || complain "daemon/base/config_table.c:1: no rows found"
for key in $keys; do
	expect daemon/forebayd.conf "^#?$key =" "key $key"
done

# Commands: rows { "name", ... of the table; each is in the manual.
manual=client/forebay.1.scd
if [ -f $manual ]; then
	for command in $(sed -n '/struct command commands\[\]/,/^};/s/^\t{ *"\([a-z]*\)".*/\1/p' client/commands.c); do
		expect $manual "\b$command\b" "command $command"
	done
fi
manual=daemon/forebayd.conf.5.scd
if [ -f $manual ]; then
	for key in $keys; do
		expect $manual "\b$(echo "$key" | sed 's/_/\\\\?_/g')\b" "key $key"
	done
fi

# The map of the tree: every directory down to the second level, every file at
# the top, and nothing else.
files()
{
	git ls-files --cached --others --exclude-standard 2>/dev/null ||
		find . -path ./out -prune -o -path ./.git -prune -o -type f -print | sed 's|^\./||'
}
tree=$(files | awk -F/ '
	NF == 1 { print $1 }
	NF > 1 { print $1 "/" }
	NF > 2 { print $1 "/" $2 "/" }' | sort -u)
map=$(sed -n '/^## Map/,/^## /{/^```/,/^```/p}' README.md | sed -n 's/^\([A-Za-z.][^ ]*\).*/\1/p' | sort -u)
for path in $(printf '%s\n%s\n' "$tree" "$map" | sort | uniq -u); do
	case " $(echo $tree) " in
	*" $path "*) complain "README.md:1: the map lacks $path" ;;
	*) complain "README.md:1: the map has $path, which is not in the tree" ;;
	esac
done

exit $found
