# layers.awk - check the includes of C files against layers.txt.
#   awk -f layers.awk layers.txt FILE...

function begins(text, prefix)
{
	return substr(text, 1, length(prefix)) == prefix
}

# The longest key of table that path begins with; "" when there is none.
function longest(table, path,    key, best)
{
	for (key in table)
		if (begins(path, key) && length(key) > length(best))
			best = key
	return best
}

function one_of(list, path,    words, n, i)
{
	n = split(list, words, " ")
	for (i = 1; i <= n; i++)
		if (begins(path, words[i]))
			return 1
	return 0
}

function complain(text)
{
	printf "%s:%d: %s\n", FILENAME, FNR, text
	found = 1
}

FNR == 1 {
	rules = NR == FNR
	room = longest(rooms, FILENAME)
	if (!rules && room == "")
		complain("belongs to no room of layers.txt")
}

rules && /^(room|foreign) / {
	split($0, halves, /: */)
	split(halves[1], words, " ")
	if (words[1] == "room")
		rooms[words[2]] = halves[2]
	else
		foreign[words[2]] = halves[2]
}
rules && /^(pure|plain|system) / {
	kind = $1
	sub(/^[a-z]+ /, "")
	if (kind == "pure")
		pure = pure " " $0
	else
		headers[kind] = headers[kind] " " $0
}
rules {
	next
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, quoted, "\"")
	if (!one_of(rooms[room], quoted[2]))
		complain(room " may not include \"" quoted[2] "\" (it may: " rooms[room] ")")
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	split($0, quoted, /[<>]/)
	header = quoted[2]
	owner = longest(foreign, header)
	if (owner != "") {
		if (!one_of(foreign[owner], FILENAME))
			complain("<" header "> only in: " foreign[owner])
	} else if (one_of(headers["plain"], header)) {
		next
	} else if (!one_of(headers["system"], header)) {
		complain("<" header "> is named nowhere in layers.txt")
	} else if (one_of(pure, FILENAME)) {
		complain(room " is pure: no <" header ">")
	}
}

END {
	exit found
}
