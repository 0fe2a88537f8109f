#!/usr/bin/env python3
"""A request whose answer does not begin lends its slot away long before it is given up: one that hangs stops nobody."""
import time
from lib import Story, body, check, equal

SCALE = 20

with Story() as story:
    api = story.fakeapi("ttfb=5 gen=20")
    # One worker; in the daemon's time a request may wait 300 s for its first byte, here 15.
    daemon = story.daemon(api, "daemon.workers=1", env={"FOREBAY_TIME_SCALE": str(SCALE)})
    client = daemon.client()
    hanging = []
    for transport in ("stream", "plain"):
        hung = client.submit(body("[tag:hung-%s] [echo:later] [fake:hang*1]" % transport), transport=transport)
        api.until(tag="hung-" + transport, arrivals=1)
        begun = time.monotonic()
        ids = [client.submit(body("[echo:n%d]" % i)) for i in range(5)]
        ids.append(client.submit(body("[echo:elsewhere]", model="claude-haiku-5-5")))
        equal(["n%d" % i for i in range(5)] + ["elsewhere"], [client.text(id) for id in ids])
        took = time.monotonic() - begun
        check(took < 0.5 * 300 / SCALE, "the others waited %.1f s for it" % took)
        equal("running", client.show(hung)[0]["state"], "the one that hangs")
        equal(1, len(api.attempts("hung-" + transport)))
        hanging.append(hung)

    # They are given up in the end, and sent again.
    equal(["later"] * 2, [client.text(id) for id in hanging])
    # What was lent is not there twice: at rest one worker sends one request at a time.
    api.ask("POST", "/_reset")
    ids = [client.submit(body("[echo:m%d]" % i)) for i in range(5)]
    equal(["m%d" % i for i in range(5)], [client.text(id) for id in ids])
    equal(1, api.stats()["max_in_flight"])
