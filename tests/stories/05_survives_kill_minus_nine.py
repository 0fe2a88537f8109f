#!/usr/bin/env python3
"""kill -9 while jobs run: every acknowledged job gets its answer, and the ledger shows every call
that may have been paid for twice."""
from lib import REPLY, Story, body, check, equal
import json

ROUNDS, JOBS = 4, 24

with Story() as story:
    api = story.fakeapi("ttfb=30~0.5 gen=120~0.8")
    daemon = story.daemon(api, "daemon.workers=8")
    acknowledged = {}

    for round in range(ROUNDS):
        client = daemon.client()
        streams = {}
        for i in range(JOBS):
            tag = "r%dj%d" % (round, i)
            streams[client.start("submit", body("[tag:%s] [echo:%s]" % (tag, tag)), key=tag)] = tag
        for stream, tag in streams.items():
            acknowledged[tag] = client.finish(stream)[0]["id"]
        # Kill at a different moment each time: with 1, 9, 17, 25 answers of this round at the API.
        api.until(completed=round * JOBS // 2 + 1 + round)
        daemon.kill()
        daemon = daemon.again("daemon.workers=8")

    client = daemon.client(timeout=60)
    for tag, id in acknowledged.items():
        equal(tag, client.text(id), "the answer of job %d" % id)
    equal(ROUNDS * JOBS, len(set(acknowledged.values())), "different ids")

    # Every request that the API saw is in the ledger as sent: nothing is hidden.
    twice = 0
    for tag, counts in api.tags().items():
        job, attempts = client.show(acknowledged[tag])
        sent = [attempt for attempt in attempts if attempt["sent"]]
        check(len(sent) >= counts["attempts"], "%s: the API saw %s, the ledger has %s" % (tag, counts, attempts))
        if counts["accepted"] > 1:
            twice += 1
            unknown = [attempt for attempt in sent if attempt["outcome"] == "unknown"]
            check(unknown, "%s may have been billed twice, the ledger hides it: %s" % (tag, attempts))
    check(twice > 0, "no kill hit a running job: this story proved nothing")

    # A key that was acknowledged before a crash still finds its job.
    equal({"id": acknowledged["r0j0"], "state": "succeeded", "existing": True},
          client.request("submit", body("[tag:r0j0] [echo:r0j0]"), key="r0j0")[0])
