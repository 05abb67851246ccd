# headers.awk - reads the headers of the handler ABI, and writes what `mode` asks for:
#   probe    a C program that prints the layout: every struct, member and constant, with their values
#   later    the headers as a later minor version could have them: every struct that has a size got further members
#   earlier  the headers as an earlier one could have had them: every struct ends where the engine says that the first
#            revision ended (`cuts`: lines "struct member", from WBL_END_OF in core/host)
# In: the headers, in any order (probe); one header (later, earlier).
# SPDX-License-Identifier: Apache-2.0

function trim(s) { gsub(/[ \t\n]+/, " ", s); gsub(/\* \*/, "**", s); sub(/^ /, "", s); sub(/ $/, "", s); return s }

function uncomment(s,    out, at, end)
{
	out = ""
	while ((at = index(s, "/*"))) {
		out = out substr(s, 1, at - 1) " "
		s = substr(s, at + 2)
		end = index(s, "*/")
		s = substr(s, end + 2)
	}
	return out s
}

# Splits at commas which stand in no parentheses.
function split_list(s, parts,    i, c, depth, n)
{
	n = 1
	parts[1] = ""
	depth = 0
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c == "(")
			depth++
		if (c == ")")
			depth--
		if (c == "," && depth == 0)
			parts[++n] = ""
		else
			parts[n] = parts[n] c
	}
	return n
}

# The parameter list of a function without the names, which may change.
function nameless(list,    parts, n, i, one, before, out)
{
	list = substr(list, 2, length(list) - 2)
	n = split_list(list, parts)
	for (i = 1; i <= n; i++) {
		one = trim(parts[i])
		if (match(one, /[a-z_0-9]+$/) && RSTART > 1) {
			before = trim(substr(one, 1, RSTART - 1))
			if (before !~ /(^| )(struct|const)$/)
				one = before
		}
		out = out (i > 1 ? ", " : "") one
	}
	return "(" out ")"
}

# Sets name[] and type[] of what one declaration declares; returns how many.
function declared(text, name, type,    parts, n, i, base, one, star)
{
	text = trim(text)
	if (match(text, /\(\*[a-z_0-9]+\)/)) {
		name[1] = substr(text, RSTART + 2, RLENGTH - 3)
		type[1] = substr(text, 1, RSTART - 1) "(*)" nameless(substr(text, RSTART + RLENGTH))
		return 1
	}
	n = split_list(text, parts)
	for (i = 1; i <= n; i++) {
		one = trim(parts[i])
		match(one, /[A-Za-z_0-9]+$/)
		name[i] = substr(one, RSTART)
		one = trim(substr(one, 1, RSTART - 1))
		if (i == 1) {
			base = one
			sub(/[* ]*$/, "", base)
			# "const char *const *a, *b": what belongs to one declarator alone ends the base
			sub(/ \*const$/, "", base)
			type[1] = one
		} else {
			star = one
			type[i] = trim(base " " star)
		}
	}
	return n
}

function constant(line,    name, text)
{
	sub(/^#define[ \t]+/, "", line)
	match(line, /^[A-Za-z_0-9]+/)
	name = substr(line, 1, RLENGTH)
	text = substr(line, RLENGTH + 1)
	if (substr(text, 1, 1) == "(") {
		gsub(/\\/, "\\\\", text)
		gsub(/"/, "\\\"", text)
		gsub(/%/, "%%", text)
		lines[++nlines] = "\tputs(\"macro " name trim(text) "\");"
	} else if (trim(text) != "")
		lines[++nlines] = "\tprintf(\"constant %s = \", \"" name "\"), put(" name ");"
}

function probe_struct(name, body,    decl, n, i, k, m, names, types)
{
	lines[++nlines] = "\tprintf(\"struct " name " = %zu\\n\", sizeof(struct " name "));"
	n = split(body, decl, ";")
	for (i = 1; i <= n; i++) {
		if (trim(decl[i]) == "")
			continue
		m = declared(decl[i], names, types)
		for (k = 1; k <= m; k++) {
			lines[++nlines] = "\tprintf(\"member " name "." names[k] \
				" = %zu %zu " types[k] "\\n\", offsetof(struct " name ", " names[k] \
				"), sizeof(((struct " name " *)0)->" names[k] "));"
			last = names[k]
		}
	}
	lines[++nlines] = "\tif (offsetof(struct " name ", " last ") + sizeof(((struct " name " *)0)->" last \
		") != sizeof(struct " name "))\n\t\tputs(\"padding " name "\");"
}

function probe(text,    n, rows, i, rest, at, name, body, end)
{
	n = split(text, rows, "\n")
	for (i = 1; i <= n; i++)
		if (rows[i] ~ /^#define[ \t]+WBL_/)
			constant(rows[i])
	rest = text
	while (match(rest, /\ntypedef [^;]*;/)) {
		lines[++nlines] = "\tputs(\"" trim(substr(rest, RSTART + 1, RLENGTH - 2)) "\");"
		rest = substr(rest, RSTART + RLENGTH)
	}
	rest = text
	while (match(rest, /\nstruct wbl_[a-z_0-9]+ \{/)) {
		name = substr(rest, RSTART + 8, RLENGTH - 10)
		rest = substr(rest, RSTART + RLENGTH)
		end = index(rest, "\n};")
		body = substr(rest, 1, end)
		rest = substr(rest, end)
		probe_struct(name, body)
	}
}

function ids(text,    id)
{
	while (match(text, /"wbl\.[a-z]+\/[0-9]+"/)) {
		id = substr(text, RSTART + 1, RLENGTH - 2)
		if (!(id in seen))
			lines[++nlines] = "\tputs(\"id " id "\");"
		seen[id] = 1
		text = substr(text, RSTART + RLENGTH)
	}
}

# Members behind the cut go; a list of declarators is cut inside.
function cut_body(body, last,    decl, n, i, k, m, names, types, out, done)
{
	n = split(body, decl, ";")
	out = ""
	for (i = 1; i <= n && !done; i++) {
		if (trim(decl[i]) == "")
			continue
		m = declared(decl[i], names, types)
		for (k = 1; k <= m && !done; k++) {
			if (index(types[k], "(*)"))
				out = out "\t" trim(decl[i]) ";\n"
			else
				out = out "\t" types[k] " " names[k] ";\n"
			done = names[k] == last
		}
	}
	return out
}

function turn(text,    out, name, end, body)
{
	out = ""
	while (match(text, /\nstruct wbl_[a-z_0-9]+ \{/)) {
		name = substr(text, RSTART + 8, RLENGTH - 10)
		out = out substr(text, 1, RSTART + RLENGTH - 1)
		text = substr(text, RSTART + RLENGTH)
		end = index(text, "\n};")
		body = substr(text, 1, end)
		text = substr(text, end + 1)
		if (mode == "later" && body ~ /^[ \t\n]*uint32_t size/)
			body = body "\tuint64_t later_number;\n\tint32_t (*later_call)(void);\n"
		if (mode == "earlier" && (name in cut))
			body = "\n" cut_body(body, cut[name])
		out = out body
	}
	return out text
}

BEGIN {
	n = split(cuts, pair, "\n")
	for (i = 1; i <= n; i++)
		if (split(pair[i], word, " ") == 2)
			cut[word[1]] = word[2]
}
{
	all = all "\n" $0
}
END {
	if (mode != "probe") {
		printf "%s\n", substr(turn(uncomment(all)), 2)
		# the identifiers stand in comments only
		while (match(all, /"wbl\.[a-z]+\/[0-9]+"/)) {
			printf "/* %s */\n", substr(all, RSTART, RLENGTH)
			all = substr(all, RSTART + RLENGTH)
		}
		exit
	}
	ids(all)
	probe(uncomment(all))
	print "#include <stdio.h>"
	print "#include <whimbrel/store.h>"
	print "#include <whimbrel/router.h>"
	print "static void put_number(long long n) { printf(\"%lld\\n\", n); }"
	print "static void put_text(const char *s) { printf(\"\\\"%s\\\"\\n\", s); }"
	print "#define put(x) _Generic((x), char *: put_text, const char *: put_text, default: put_number)(x)"
	print "int main(void)\n{"
	for (i = 1; i <= nlines; i++)
		print lines[i]
	print "\treturn 0;\n}"
}
