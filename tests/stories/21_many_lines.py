#!/usr/bin/env python3
"""Two thousand requests from a file of JSON Lines: as many ids, in order, and as many answers."""
from lib import SLOWER, Story, body, check, contains, equal

COUNT = 2000

with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)
    client = daemon.client(timeout=120)
    lines = b"".join(body("[tag:l%d] [echo:l%d]" % (i, i)) + b"\n" for i in range(COUNT))
    path = story.file("jobs.jsonl", lines)

    got = daemon.cli("submit", "--jsonl", "-l", "bulk", path, seconds=60 * SLOWER)
    ids = [int(line) for line in got.stdout.split()]
    equal((COUNT, COUNT), (len(ids), len(set(ids))), "ids")
    for part in (ids[:1000], ids[1000:]):
        equal(0, client.wait(*part)["pending"])
    for i in range(0, COUNT, 97):
        equal("l%d" % i, client.text(ids[i]), "the answer of line %d" % i)
    stats = api.stats()
    equal((COUNT, 0), (stats["completed"], stats["accepted_again"]))
    equal(COUNT, client.request("status")[0]["queue"]["succeeded"])

    # A line that is no request is named; the others go in.
    path = story.file("bad.jsonl", body("[echo:a]") + b"\n{\n\n" + body("[echo:b]") + b"\n")
    got = daemon.cli("submit", "--jsonl", path, status=None)
    check(got.returncode != 0, "a bad line must show in the status")
    contains("2", got.stderr, "the number of the line")
    equal(2, len(got.stdout.split()), "the good lines")
