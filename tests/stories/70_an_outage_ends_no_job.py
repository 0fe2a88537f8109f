#!/usr/bin/env python3
"""Faults that everybody meets are the weather's: an outage ends no job, however long it is; one job's own faults do end it."""
from lib import Story, body, check, equal

SCALE = 50
ATTEMPTS = 3

with Story() as story:
    api = story.fakeapi("always ttfb=50 gen=50 refuse=50; 500", "--time-scale", str(SCALE))
    daemon = story.daemon(api, "queue.attempts=%d" % ATTEMPTS, env={"FOREBAY_TIME_SCALE": str(SCALE)})
    client = daemon.client(timeout=60)
    ids = {"o%d" % i: client.submit(body("[tag:o%d] [echo:o%d]" % (i, i))) for i in range(16)}

    # More faults than all their attempts together.
    client.until_status(lambda status: any(gate["weather"] == "dark" for gate in status["gates"]))
    api.until(arrivals=ATTEMPTS * len(ids) + 12)
    equal(0, client.request("status")[0]["queue"]["failed"], "ended by the outage")
    rows = [client.show(id) for id in ids.values()]
    check(max(job["tries"] for job, _ in rows) > ATTEMPTS, "somebody was tried more often than may count")
    check(all(attempt["outcome"] == "fault" for _, attempts in rows for attempt in attempts
              if attempt["outcome"] != "running"), "the ledger says what it was")

    api.control("always ttfb=50 gen=50")
    for tag, id in ids.items():
        equal(tag, client.text(id))

    # Where others get through, a job that always fails is at fault itself.
    own = client.submit(body("[tag:own] [fake:500]"))
    others = [client.submit(body("[echo:fine%d]" % i)) for i in range(8)]
    reply, _ = client.end_of(own)
    equal(("failed", "api-error", ATTEMPTS), (reply["state"], reply["error"], reply["attempts"]))
    equal(["fine%d" % i for i in range(8)], [client.text(id) for id in others])
