#!/usr/bin/env python3
"""After SIGTERM and a new start everything is there: answers, the queue, and what was running."""
from lib import Story, body, check, equal

with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api, "daemon.workers=2", "daemon.drain_timeout=0")
    client = daemon.client()

    done = [client.submit(body("[echo:done%d]" % i)) for i in range(5)]
    equal(["done%d" % i for i in range(5)], [client.text(id) for id in done])

    api.control("hold")
    late = client.submit(body("[echo:late]"), not_before="2050-01-01T00:00:00Z", label="late")
    open_ones = [client.submit(body("[tag:open%d] [echo:open%d]" % (i, i)), priority=-i) for i in range(6)]
    api.until(accepted=7)  # the five, and two workers hang
    daemon.stop()

    api.control("calm")
    daemon = daemon.again("daemon.workers=2")
    client = daemon.client()
    equal(["open%d" % i for i in range(6)], [client.text(id) for id in open_ones], "what was not done")
    equal(["done%d" % i for i in range(5)], [client.text(id) for id in done], "what was done")
    equal("delayed", client.show(late)[0]["state"])
    equal([late], [row["id"] for row in client.rows("list", label="late")])

    # Two were broken off; the ledger says so, and nobody else went twice.
    tags = {tag: counts["accepted"] for tag, counts in api.tags().items() if tag.startswith("open")}
    equal({"open%d" % i: 2 if i < 2 else 1 for i in range(6)}, tags, "how often each was accepted")
    for i, id in enumerate(open_ones):
        equal(2 if i < 2 else 1, len(client.show(id)[1]), "attempts in the ledger of open%d" % i)

    new = client.submit(body("new"))
    check(new > max(done + open_ones + [late]), "ids are never used again")
