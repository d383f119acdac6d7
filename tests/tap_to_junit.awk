# SPDX-License-Identifier: GPL-2.0-only OR MIT
# One test's TAP output to one JUnit <testsuite>; exit status 1 if the test failed.
# Variables: name, status (of the program), limit (seconds), started, ended (seconds).
# The reason of a failure stands before its "not ok"; cmocka adds what it knows after it, to "error: Failure!".
# Others explain a failure after it only.
# "# rounds: 12 of 200 ..." before a result goes into the case's <system-out>.

function escape(text)
{
	gsub(/&/, "\\&amp;", text)
	gsub(/</, "\\&lt;", text)
	gsub(/>/, "\\&gt;", text)
	gsub(/"/, "\\&quot;", text)
	gsub(/[\001-\010\013\014\016-\037]/, "?", text)
	return text
}

function add(result, title, reason)
{
	cases++
	kind[cases] = result
	label[cases] = title
	why[cases] = reason
	before[cases] = pending
	rounds[cases] = said_rounds
	pending = said_rounds = ""
	explaining = result == "failure"
}

# Its first line; of a Python traceback the last, which names the exception.
function summary(text,	lines, n)
{
	n = split(text, lines, "\n")
	while (n > 1 && lines[n] == "")
		n--
	text = text ~ /# Traceback / ? lines[n] : lines[1]
	sub(/^(# )*/, "", text)
	return text
}

/^1\.\.0/ {
	reason = $0
	sub(/^1\.\.0[ #]*(SKIP)?[ ]*/, "", reason)
	add("skipped", "requirements", reason)
	next
}

/^1\.\.[0-9]+/ {
	planned = substr($1, 4) + 0
	next
}

/^Bail out!/ {
	add("error", "start", substr($0, 11))
	next
}

/^(not )?ok [0-9]+/ {
	# Python's and the shell's failures are explained after them.
	if (explaining) {
		after[cases] = pending
		pending = ""
	}
	failed = /^not/
	title = $0
	sub(/^(not )?ok [0-9]+( - )?/, "", title)
	seen++
	if (title ~ /# SKIP/) {
		reason = title
		sub(/^.*# SKIP */, "", reason)
		sub(/ *# SKIP.*$/, "", title)
		# cmocka: "ok 3 # SKIP name", with the reason in a line before.
		if (title == "") {
			title = reason
			reason = pending
			sub(/^.*# skip: /, "", reason)
			sub(/\n.*/, "", reason)
		}
		add("skipped", title, reason)
	} else {
		add(failed ? "failure" : "ok", title, "")
	}
	next
}

/^TAP version/ || /^# (not )?ok - / {
	next
}

# Also of a test of a test, which prints what the other said behind another "# ".
/^(# )+rounds: [0-9]+ of [0-9]+/ {
	said_rounds = $0
	sub(/^(# )+/, "", said_rounds)
}

explaining && /^#.*error: Failure!/ {
	after[cases] = pending $0 "\n"
	pending = ""
	explaining = 0
	next
}

{
	pending = pending $0 "\n"
}

END {
	if (explaining)
		after[cases] = pending
	for (i = 1; i <= cases; i++) {
		failures += kind[i] == "failure"
		errors += kind[i] == "error"
		skips += kind[i] == "skipped"
	}
	if (status == 124 || status == 137)
		verdict = "did not end within " limit " s"
	else if (status > 128)
		verdict = "ended by signal " status - 128
	else if (planned > seen)
		verdict = "ended after " seen + 0 " of " planned " cases (exit status " status ")"
	else if (status != 0 && status != 4 && !failures && !errors)
		verdict = "ended with exit status " status
	else if (!cases)
		verdict = "said nothing"
	if (verdict != "") {
		add("error", "end", verdict)
		errors++
		print "not ok - " name " " verdict > "/dev/stderr"
	}

	printf "<testsuite name=\"%s\" tests=\"%d\" failures=\"%d\" errors=\"%d\" skipped=\"%d\" time=\"%.3f\">\n",
		escape(name), cases, failures, errors, skips, ended - started
	for (i = 1; i <= cases; i++) {
		printf "  <testcase classname=\"%s\" name=\"%s\"", escape(name), escape(label[i])
		said = rounds[i] == "" ? "" : "<system-out>" escape(rounds[i]) "</system-out>"
		if (kind[i] == "ok" && said == "") {
			print "/>"
			continue
		}
		printf ">"
		text = before[i] after[i]
		if (kind[i] == "skipped")
			printf "<skipped message=\"%s\"/>", escape(why[i])
		else if (kind[i] != "ok")
			printf "<%s message=\"%s\">%s</%s>", kind[i],
				escape(why[i] != "" ? why[i] : summary(text)), escape(text), kind[i]
		print said "</testcase>"
	}
	print "</testsuite>"
	exit failures + errors > 0
}
