#!/usr/bin/env python3
"""A connection that says nothing more is given up in time, pings or not; one that is only slow is not."""
from lib import SLOWER, Story, body, check, contains, equal

IDLE = 0.6 * SLOWER
ROWS = [  # fault, error type, the least time until it is given up
    ("silent", "network/idle", IDLE),
    ("stall", "network/idle", IDLE),
    ("freeze", "network/idle", IDLE),
    ("hang", "network/first-byte", 2 * IDLE),
    ("1xx-endless", "network/first-byte", 2 * IDLE),
]
NAMES = {"network/idle": "the answer stopped coming", "network/first-byte": "no answer in time"}

with Story() as story:
    api = story.fakeapi("ttfb=5 gen=20 ping=50")
    daemon = story.daemon(api, "upstream.idle_timeout=%dms" % (1000 * IDLE),
                          "upstream.first_byte_timeout=%dms" % (2000 * IDLE), "queue.retry_min=20ms")
    client = daemon.client()
    jobs = {}
    for fault, kind, least in ROWS:
        for transport in ("stream", "plain"):
            # A plain request hears nothing at all where a stream hears pings.
            if transport == "plain" and kind == "network/idle":
                kind, least = "network/first-byte", 2 * IDLE
            tag = "%s-%s" % (transport, fault)
            jobs[tag] = kind, least, client.submit(body("[tag:%s] [echo:%s] [fake:%s*1]" % (tag, tag, fault),
                                                        model="m-" + tag), transport=transport)
    # Slow, and never as long without a word as is allowed, though longer altogether: an answer before its
    # first byte and after, and an error in pieces.
    drip = 400 * SLOWER
    slow = [client.submit(body("[echo:slow but sure, and it takes a while] [fake:deltas=5 drip=%d]" % drip)),
            client.submit(body("[echo:slow but sure, and it takes a while] [fake:ttfb=%d]" % (1500 * IDLE))),
            client.submit(body("[tag:drip] [echo:slow but sure, and it takes a while] [fake:500-slow drip=%d*1]" % (
                drip // 10)))]

    for tag, (kind, least, id) in jobs.items():
        equal(tag, client.text(id))
        first, second = api.attempts(tag)
        equal("client-left", first["outcome"], tag)
        took = first["t_end"] - (first["t_first"] if kind == "network/idle" and "silent" in tag else first["t"])
        check(least - 0.05 <= took, "%s was given up after %.2f s" % (tag, took))
        attempt = client.show(id)[1][0]
        equal(("fault", kind, True), (attempt["outcome"], attempt["error_type"], attempt["counted"]), tag)
        contains(NAMES[kind], daemon.cli("explain", id).stdout)
    equal(["slow but sure, and it takes a while"] * 3, [client.text(id) for id in slow])
    equal([1, 1, 2], [client.show(id)[0]["tries"] for id in slow], "how often the slow ones were sent")
    equal("api_error", client.show(slow[2])[1][0]["error_type"], "the error that came slowly")

    # It has an end, and says which.
    reply, _ = client.end_of(client.submit(body("[fake:stall]", model="m-end"), attempts=2))
    equal(("failed", "timed-out", 2), (reply["state"], reply["error"], reply["attempts"]))
