#!/usr/bin/env python3
"""Garbage, half frames, drips, PINGs and a thousand connections: others' submits keep working."""
import contextlib, os, random, threading
from lib import DEADLINE, ERROR, NOBODY, SLOWER, Story, as_user, check, contains, equal, eventually
from abuse import DATA, HELLO_FRAME, PING, Bystander, Raw, frame, request, resident

noise = random.Random(7)


def start(*jobs):
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    return threads


def garbage():
    for _ in range(300):
        raw = Raw(daemon, greet=False)
        raw.send((HELLO_FRAME if noise.random() < 0.5 else b"") + noise.randbytes(noise.randrange(1, 4096)))
        raw.close()


def churn():
    for _ in range(500):
        Raw(daemon, greet=False).close()


def ping_flood():
    raw = Raw(daemon)
    pings = frame(PING, 0, b"x" * 64) * 1000
    for _ in range(100):
        if not raw.stuff(pings):
            break
    raw.close()


with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api, "daemon.hello_timeout=2s")
    before = resident(daemon)
    bystander = Bystander(daemon)
    bystander.at_work.wait(DEADLINE)

    # Half headers and half frames, which stay; a frame of 1 MiB, one byte at a time.
    halves = [Raw(daemon) for _ in range(50)]
    for i, raw in enumerate(halves):
        raw.send(request(1, "status")[:1 + i % 28])
    silent = [Raw(daemon, greet=False) for _ in range(50)]
    drip = Raw(daemon)
    drip.send(request(1, "submit", 0) + frame(DATA, 1, length=1 << 20))
    stop = threading.Event()

    def dripping():
        while not stop.wait(0.001) and drip.send(b"{"):
            pass

    threads = start(dripping, garbage, churn, ping_flood, ping_flood)
    for thread in threads[1:]:
        thread.join(DEADLINE)

    # Whoever does not come to an end is told and dropped.
    for raw in halves + [drip]:
        error = raw.last_words()
        check(error, "half a frame: closed without a word")
        contains("not finished in time", error["message"])
    for raw in silent:
        contains("HELLO", raw.last_words()["message"])
    stop.set()
    bystander.done()
    grown = resident(daemon) - before
    print("grown by %d KiB" % (grown >> 10))
    check(grown < SLOWER * 32 << 20, "the daemon grew by %d MiB" % (grown >> 20))

    # A thousand connections of one user: so many are served, the others are told why not.
    bystander = Bystander(daemon)
    os.chmod(daemon.socket, 0o666)
    with as_user(NOBODY) if os.geteuid() == 0 else contextlib.nullcontext():
        open_ones = [Raw(daemon, greet=False) for _ in range(1000)]
    told = 0
    served = 0
    for raw in open_ones:
        raw.send(HELLO_FRAME)
    for raw in open_ones:
        kind, _, stream, payload = raw.frame() or (None, None, None, b"")
        if kind == ERROR and stream == 0:
            contains(b"over-quota", payload)
            contains(b"[limits] connections", payload)
            told += 1
        elif kind == 1:
            served += 1
    print("%d served, %d told why not" % (served, told))
    check(served <= 256 and served >= 200, "%d connections of one user were served" % served)
    equal(1000, served + told, "all others are told")
    bystander.done()
    for raw in open_ones:
        raw.close()
    # They do not count any more.
    observer = daemon.client()
    eventually(lambda: observer.request("status")[0]["connections"] < 10, "the connections have gone")
    with as_user(NOBODY) if os.geteuid() == 0 else contextlib.nullcontext():
        Raw(daemon).close()
