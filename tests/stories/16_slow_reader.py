#!/usr/bin/env python3
"""A client that asks and does not read costs the daemon little memory and others nothing."""
import threading
from lib import SLOWER, Story, body, check, equal

COUNT = 60


def resident(pid):
    """Bytes of memory."""
    with open("/proc/%d/status" % pid) as file:
        return 1024 * int([line for line in file if line.startswith("VmRSS")][0].split()[1])


with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)
    slow, quick = daemon.client(), daemon.client()

    id = slow.submit(body("[tag:long] [fake:size=2M]", max_tokens=1000000))
    _, want = slow.end_of(id)
    check(len(want) > 1000000, "the answer is only %d bytes" % len(want))
    before = resident(daemon.pid)

    # Many times 2 MB, none of it read.
    streams = []

    def ask():
        """In its own thread: the daemon stops reading what a client sends that does not read."""
        for _ in range(COUNT):
            streams.append(slow.start("result", id=id))
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    for i in range(50):
        equal("quick%d" % i, quick.text(quick.submit(body("[echo:quick%d]" % i))))
    grown = resident(daemon.pid) - before
    check(grown < SLOWER * 64 << 20, "the daemon grew by %d MB for one that does not read" % (grown >> 20))

    # It was only slow: everything comes when it reads.
    for i in range(COUNT):
        while i == len(streams):
            slow.kept.get((frame := slow.read())[2], []).append(frame)
        check(slow.finish(streams[i])[1] == want, "a late answer is another one")
    slow.close()

    # The same for live streams: many follow, none reads.
    many = [daemon.client() for _ in range(20)]
    id = quick.submit(body("[tag:live] [fake:hold size=2M]", max_tokens=1000000))
    api.until(tag="live", accepted=1)
    for client in many:
        client.start("follow", id=id)
    api.control({"release": True})
    check(len(quick.text(id)) > 1000000, "whoever reads gets it all")
    grown = resident(daemon.pid) - before
    check(grown < SLOWER * 128 << 20, "the daemon grew by %d MB for followers that do not read" % (grown >> 20))
