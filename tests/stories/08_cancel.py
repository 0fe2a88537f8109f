#!/usr/bin/env python3
"""cancel ends what waits and what runs, at once; what has ended stays as it is."""
from lib import Story, body, contains, equal

with Story() as story:
    api = story.fakeapi("hold")
    daemon = story.daemon(api, "daemon.workers=1")
    client, watcher = daemon.client(), daemon.client()

    running, queued, third = (client.submit(body("[tag:%s]" % tag), label=tag) for tag in "abc")
    delayed = client.submit(body("d"), not_before="2050-01-01T00:00:00Z")
    api.until(tag="a", accepted=1)
    waits = watcher.start("wait", ids=[running, queued, delayed])

    equal([{"id": id, "state": "canceled"} for id in (queued, running, delayed)],
          client.request("cancel", ids=[queued, running, delayed])[0]["jobs"])
    equal(0, watcher.finish(waits)[0]["pending"], "whoever waits is told")
    api.until(client_left=1)
    for id in (running, queued, delayed):
        reply, data = client.result(id)
        equal(("canceled", "canceled", b""), (reply["state"], reply["error"], data))
    equal([], api.attempts("b"), "what was canceled in the queue is never sent")

    # The worker goes on with the next one.
    api.until(tag="c", accepted=1)
    api.control({"release": True})
    client.text(third)
    equal([{"id": third, "state": "succeeded"}], client.request("cancel", ids=[third])[0]["jobs"])
    equal("not-found", client.request("cancel", ids=[999])[0]["jobs"][0]["error"])

    # By a filter, through the command; the command that waited says how it ended.
    ids = [client.submit(body("e"), label="night") for _ in range(30)]
    other = client.submit(body("f"), label="day")
    equal(30, len(daemon.cli("cancel", "-l", "night", "-y").stdout.split()))
    equal({"canceled"}, {client.show(id)[0]["state"] for id in ids})
    contains("canceled", daemon.cli("result", ids[0], status=6).stderr)
    equal([str(other)], daemon.cli("cancel", other).stdout.split())
