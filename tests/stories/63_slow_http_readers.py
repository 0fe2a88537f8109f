#!/usr/bin/env python3
"""A client that does not read its answer slows nobody down, is not written for, and is given up in the end."""
import time
from facade_client import Connection, Raw, create, open_connections, post
from lib import SLOWER, Story, body, check, contains, equal, eventually, text_of

SIZE = 6 << 20


def resident(daemon):
    with open("/proc/%d/statm" % daemon.pid) as file:
        return int(file.read().split()[1]) * 4096

with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api, "http.idle_timeout=%ds" % (3 * SLOWER), "daemon.output_high_mark=64K", "http.hold=600s")
    client = daemon.client()

    # Eight that do not read, while one that does keeps its pace.
    request = body("[fake:size=6M deltas=2000]", stream=True, max_tokens=10 * SIZE)
    slow = [Raw(daemon).send(post(request)) for _ in range(8)]
    connection, times = Connection(daemon), []
    for i in range(50):
        start = time.monotonic()
        equal(str(i), text_of(create(daemon, body("[echo:%d]" % i), connection=connection).data))
        times.append(time.monotonic() - start)
    print("others: median %.1f ms, slowest %.1f ms" % (sorted(times)[25] * 1e3, max(times) * 1e3))

    # One begins late and has everything, in the order it was made.
    late = slow.pop()
    data = late.answer().data
    check(data.startswith(b"event: message_start") and data.endswith(b'{"type":"message_stop"}\n\n'), data[-200:])
    equal(len(data), len(create(daemon, request).data), "the same answer, read at once")
    print("%d MB resident" % (resident(daemon) >> 20))

    # Those that take nothing for too long are hung up on.
    eventually(lambda: open_connections(daemon) == 1, "they are given up")
    for raw in slow:
        data = raw.rest()
        check(0 < len(data) < SIZE, "%d bytes" % len(data))

    # Answers that are kept for those who do not read have a bound, too: each has all of it, or is told, or cut off.
    daemon = story.daemon(api, "daemon.live_buffer=16M", "daemon.output_high_mark=64K", name="small")
    slow = [Raw(daemon).send(post(request, "connection: close")) for _ in range(8)]
    client = daemon.client()
    client.until_status(lambda status: status["queue"]["running"] == 0 and status["queue"]["succeeded"] > 0)
    print("%d MB resident" % (resident(daemon) >> 20))
    equal("small", text_of(create(daemon, body("[echo:small]")).data))
    ends = {b"message_stop": 0, b"event: error": 0, b"": 0}
    for raw in slow:
        data = raw.rest()
        ends[next(end for end in ends if end in data[-1000:])] += 1
    print("whole %d, told %d, cut off %d" % tuple(ends.values()))
    check(ends[b"message_stop"] >= 1 and ends[b"message_stop"] < 8, ends)
    eventually(lambda: open_connections(daemon) == 1, "all have gone")
