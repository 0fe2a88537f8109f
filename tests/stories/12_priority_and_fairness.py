#!/usr/bin/env python3
"""Better classes and priorities go first, and a caller with a thousand jobs does not keep others waiting."""
import os
from lib import Story, body, check, equal, skip

with Story() as story:
    api = story.fakeapi("ttfb=5 gen=20")
    daemon = story.daemon(api, "daemon.workers=1", name="one")
    client = daemon.client()

    # Everything waits at a closed gate, then goes in its order.
    client.request("hold")
    wanted = []
    for tag, options in (
            ("p0", {"class": "patient"}), ("n1", {"priority": -5}), ("n2", {}), ("n3", {"priority": 7}),
            ("i1", {"class": "interactive"}), ("n4", {}), ("i2", {"class": "interactive", "priority": 1})):
        wanted.append(client.submit(body("[tag:%s]" % tag), **options))
    client.request("release")
    client.wait(*wanted)
    equal(["i2", "i1", "n3", "n2", "n4", "n1", "p0"], [entry["tag"] for entry in api.entries()], "the order")
    daemon.stop()

    if os.geteuid() != 0:
        skip("classes and priorities are right, but fairness needs several users, and only root can be all of them")

    # Somebody has 200 jobs in the queue and they run; ten others come with one each.
    api.ask("POST", "/_reset")
    daemon = story.daemon(api, "daemon.workers=2", name="two")
    users = range(2001, 2011)
    big = daemon.client(2000)
    streams = [big.start("submit", body("[tag:big%d]" % i)) for i in range(200)]
    for stream in streams:
        big.finish(stream)
    api.until(arrivals=10)
    small = [(user, daemon.client(user)) for user in users]
    ids = [(client, client.submit(body("[tag:small%d]" % user))) for user, client in small]
    before = len(api.entries())
    for client, id in ids:
        client.text(id)
    order = [entry["tag"] for entry in api.entries()]
    for user in users:
        check("small%d" % user in order[:before + 20], "user %d was not among the next 20 starts" % user)
