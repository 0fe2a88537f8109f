#!/usr/bin/env python3
"""Clients that ask for big answers and never read do not fill the daemon, nor slow anybody."""
from lib import SLOWER, Story, body, check, equal, eventually
from abuse import Bystander, Raw, request, resident, submit

BIG = 12 << 20


def big():
    return body("[fake:size=12M]", max_tokens=10000000)


with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api, "daemon.workers=4")
    client = daemon.client()
    id = client.submit(big())
    reply, want = client.end_of(id)
    equal("succeeded", reply["state"])
    check(len(want) > BIG * 0.9, "the answer is only %d bytes" % len(want))
    before = resident(daemon, "VmHWM")
    bystander = Bystander(daemon)

    # Each asks ten times for 12 MB and reads nothing: 3 GB if all of it were kept.
    deaf = [Raw(daemon) for _ in range(24)]
    for raw in deaf:
        raw.stuff(b"".join(request(stream, "result", id=id) for stream in range(1, 11)))
    # More of that kind: followers, jobs of their own that end with them, long lists.
    for lasting in (True, False):
        raw = Raw(daemon)
        raw.stuff(request(1, "follow", id=id) + submit(2, big(), want="result", follow=True, ephemeral=not lasting))
        raw.stuff(b"".join(request(stream, "list", limit=1000) for stream in range(10, 500)))
        deaf.append(raw)

    # A client that reads gets its answers.
    check(client.result(id)[1] == want, "another answer")
    client.until_status(lambda status: status["queue"]["queued"] + status["queue"]["running"] < 2)
    check(client.result(id)[1] == want, "another answer")
    bystander.done(4)
    grown = resident(daemon, "VmHWM") - before
    print("from %d MiB, grown by at most %d MiB" % (before >> 20, grown >> 20))
    check(grown < SLOWER * (640 << 20), "the daemon grew by %d MiB" % (grown >> 20))

    # They go, and so does what was kept for them.
    for raw in deaf:
        raw.close()
    eventually(lambda: client.request("status")[0]["connections"] <= 2, "they have gone")

    # What happens, told to one that does not read: it is not kept for it, and told as it is when it reads.
    raw = Raw(daemon)
    ids = [client.submit(body("[echo:%d] [fake:cut@1]" % i)) for i in range(5)]
    raw.stuff(b"".join(request(1000 + i, "follow", id=id) for i, id in enumerate(ids)))
    raw.stuff(b"".join(request(stream, "models") for stream in range(1, 900)))
    equal({"succeeded"}, {job["state"] for job in client.wait(*ids)["jobs"]})
    ended = set()
    while len(ended) < len(ids):
        kind, flags, stream, payload = raw.frame()
        if stream >= 1000 and flags & 1:
            ended.add(stream)
            check(b"%d" % (stream - 1000) in payload, "the answer of another job: %r" % payload[:200])
    raw.close()
