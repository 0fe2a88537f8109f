#!/usr/bin/env python3
"""A mistake in the configuration is named with file, line, key and what would be right, before anything starts."""
import os, subprocess
from lib import DEADLINE, OUT, Story, contains, equal


def forebayd(*arguments):
    return subprocess.run([os.path.join(OUT, "forebayd"), *arguments], capture_output=True, text=True,
                          timeout=DEADLINE, env={"HOME": story.dir, "PATH": os.environ["PATH"]})


with Story() as story:
    for text, *words in (
            ("[queue]\nattempts = 0\n", ":2", "attempts", "1"),
            ("[queue]\n\nkeep = soon\n", ":3", "keep", "time"),
            ("[queue]\nkep = 7d\n", ":2", "kep"),
            ("[kue]\n", "kue"),
            ("[daemon]\nlog_level = loud\n", ":2", "log_level", "debug"),
            ("[upstream]\nurl = http://example.com\n", ":2", "url", "loopback"),
            ("[chain quick]\nmodels =\n", ":2", "models"),
            ("attempts = 3\n", ":1", "attempts"),
            ("[queue]\nkeep\n", ":2")):
        got = forebayd("--check-config", "-c", story.file("bad.conf", text))
        contains(got.returncode, (1, 2, 78), "the status for %r" % text)
        for word in ("bad.conf", *words):
            contains(word, got.stderr, "the complaint about %r" % text)

    # All mistakes at once, not one a try.
    got = forebayd("--check-config", "-c", story.file("bad.conf", "[queue]\nattempts = 0\nkeep = soon\n"))
    contains(":2", got.stderr), contains(":3", got.stderr)
    contains("missing.conf", forebayd("-c", os.path.join(story.dir, "missing.conf")).stderr)
    contains("queue.attempts", forebayd("--check-config", "--set", "queue.attempts=x").stderr.replace("[queue] ", "queue."))

    # What is printed is accepted, and the sample is what is printed.
    got = forebayd("--print-config")
    equal(0, got.returncode)
    good = story.file("good.conf", got.stdout)
    equal((0, ""), (lambda got: (got.returncode, got.stderr))(forebayd("--check-config", "-c", good)))
    equal(got.stdout, forebayd("--print-config", "-c", good).stdout, "printed twice")
    contains("forebayd", forebayd("--version").stdout)
    contains("frobnicate", forebayd("--frobnicate").stderr)
