#!/usr/bin/env python3
"""10,000 submits before the first reply is read; max_streams holds back requests, never their DATA;
and what a daemon that ends has taken, it has also acknowledged."""
import signal
from lib import END, ERROR, Story, body, check, contains, equal, eventually
from abuse import CANCEL, DATA, PING, REPLY, Bystander, Raw, frame, request, submit

COUNT = 10000

with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api, "daemon.max_streams=64")
    watcher = daemon.client()
    watcher.request("hold")
    bystander = Bystander(daemon)

    raw = Raw(daemon)
    check(raw.send(b"".join(submit(i, body("job %d" % i)) for i in range(1, COUNT + 1))), "it was cut off")
    ids = {}
    while len(ids) < COUNT:
        kind, flags, stream, payload = raw.frame()
        equal((REPLY, END), (kind, flags), "stream %d: %r" % (stream, payload))
        check(stream not in ids, "stream %d was answered twice" % stream)
        ids[stream] = payload
    bystander.done()
    equal(COUNT, len(set(ids.values())), "every job has its own id")
    equal(COUNT + len(bystander.times), watcher.request("status")[0]["queue"]["queued"])

    # All streams are open and wait for their DATA: it is read.
    for i in range(64):
        raw.send(request(20000 + i, "submit", 0))
    for i in range(64):
        raw.send(frame(DATA, 20000 + i, body("late %d" % i), END))
    equal({(REPLY, 20000 + i) for i in range(64)}, {raw.frame()[0:3:2] for _ in range(64)})

    # One more of those than may be open is refused, the others are not.
    for i in range(65):
        raw.send(request(30000 + i, "submit", 0))
    kind, answer = raw.answer(30064)
    equal((ERROR, "over-quota"), (kind, answer["error"]))
    contains("max_streams", answer["message"])
    for i in range(65):
        raw.send(frame(DATA, 30000 + i, body("later %d" % i), END))
    equal({(REPLY, 30000 + i) for i in range(64)}, {raw.frame()[0:3:2] for _ in range(64)})

    # All streams follow jobs that wait: CANCEL is heard, and makes room for the next.
    id = int(ids[1].split(b":")[1].split(b",")[0])
    for i in range(64):
        raw.send(request(40000 + i, "wait", ids=[id]))
    raw.send(frame(PING, 0, b"still there?"))
    while raw.frame()[0] != 9:
        pass
    raw.send(frame(CANCEL, 40000) + request(50000, "whoami"))
    equal(REPLY, raw.answer(50000)[0])

    # A request too many waits for one of them to end. And if the client goes while it is held, that is noticed.
    held = Raw(daemon)
    for i in range(1, 65):
        held.send(request(i, "wait", ids=[id]))
    held.send(request(65, "whoami"))
    connections = watcher.request("status")[0]["connections"]
    held.close()
    eventually(lambda: watcher.request("status")[0]["connections"] < connections, "its end is noticed")
    held = Raw(daemon)
    for i in range(1, 65):
        held.send(request(i, "wait", ids=[id]))
    held.send(request(65, "whoami"))
    watcher.request("cancel", ids=[id])
    equal(REPLY, held.answer(65)[0])
    held.close()

    # SIGTERM in the middle of a pipeline: what is on disk was acknowledged, and nothing else was.
    daemon.stop()
    daemon = story.daemon(api, name="ending")
    daemon.client().request("hold")
    raw = Raw(daemon)
    raw.stuff(b"".join(submit(i, body("job %d" % i)) for i in range(1, 3001)))
    first = raw.frame()
    daemon.process.send_signal(signal.SIGTERM)
    taken = 0
    while first:
        taken += first[0] == REPLY
        first = raw.frame()
    equal(0, daemon.wait())
    daemon = daemon.again()
    queued = daemon.client().request("status")[0]["queue"]["queued"]
    print("%d of 3000 were taken before the end" % taken)
    equal(queued, taken, "jobs on disk, and acknowledged")
