# sizes.awk - the limits of the house: functions, files, lines. A function's
# braces stand in column 0, which is all that this needs to know of C.
#   awk -f sizes.awk FILE...

function complain(line, text)
{
	printf "%s:%d: %s\n", file, line, text
	found = 1
}

function width(line,    at)
{
	while ((at = index(line, "\t")))
		line = substr(line, 1, at - 1) sprintf("%*s", 8 - (at - 1) % 8, "") substr(line, at + 1)
	return length(line)
}

function end_of_file()
{
	limit = file ~ /\.h$/ ? 150 : 600
	if (lines > limit)
		complain(lines, "a file of " lines " lines, the limit is " limit)
}

FNR == 1 {
	if (file)
		end_of_file()
	file = FILENAME
	start = 0
	if ($0 !~ /^\/\*/)
		complain(1, "does not begin with a comment saying what it is for")
}
/^[A-Za-z_].*\(/ {
	name = $0
	sub(/\(.*/, "", name)
	sub(/.*[ *]/, "", name)
}
/^\{/ {
	start = FNR
}
/^\}/ && start {
	if (FNR - start + 1 > 60)
		complain(start, name "() has " FNR - start + 1 " lines, the limit is 60")
	start = 0
}
{
	lines = FNR
	if (!table && width($0) > 100)
		complain(FNR, "a line of " width($0) " columns, the limit is 100")
}
/clang-format off/ {
	table = 1 # the rows of a table may be as long as they need
}
/clang-format on/ {
	table = 0
}

END {
	end_of_file()
	exit found
}
