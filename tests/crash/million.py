#!/usr/bin/env python3
"""A million jobs in the queue: memory and start do not grow with it, and they come out in order.

    million.py [--jobs N] [--drain N] [--seed N]    LONG=1: 1000000; without either it is skipped

The gate is held while they are submitted, 1 KiB each. VmRSS stays below 64 MiB, a restart is READY
within 0.5 s (also after kill -9, and with nothing of the database in the page cache), and then some
thousands are drained.
"""
from crash import *
import struct
from forebay_client import REQUEST
from lib import skip

RSS = 64 << 20
READY = 0.5 * SLOWER
WINDOW = 500       # submits on their way at once, of the 1024 that one connection may have
WORKERS = 32
SETTINGS = ("daemon.workers=%d" % WORKERS,)
HEAD = b'{"model":"claude-sonnet-5-5","max_tokens":16,"messages":[{"role":"user","content":"[tag:%08d] '
TAIL = b'"}]}'
BODY = 1024


def memory(daemon, name="VmRSS"):
    with open("/proc/%d/status" % daemon.pid) as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith(name))


def frames(first, count, stream):
    """So many submits, as bytes."""
    request, parts = b'{"verb":"submit"}', []
    for i in range(count):
        head = HEAD % (first + i)
        parts += (struct.pack(">IBBHI", len(request), REQUEST, 0, 0, stream + i), request,
                  struct.pack(">IBBHI", BODY, DATA, END, 0, stream + i), head,
                  b"x" * (BODY - len(head) - len(TAIL)), TAIL)
    return b"".join(parts)


def submit(told, path, jobs):
    """One connection, pipelined; the n-th job becomes the n-th id."""
    client = Client(path, timeout=60 * SLOWER)
    client.socket.settimeout(60 * SLOWER)
    sent = answered = 0
    while answered < jobs:
        while sent < jobs and sent - answered <= WINDOW:
            count = min(WINDOW // 2, jobs - sent)
            client.socket.sendall(frames(sent + 1, count, sent + 1))
            sent += count
        kind, _, stream, payload = client.read()
        check(kind == REPLY, "submit %d: %s" % (stream, payload))
        answered += 1
        if answered % 10000 == 0 or answered == jobs:
            told(answered=answered, id=json.loads(payload)["id"])


def fill(scene, daemon, jobs):
    """Submit them, watching the memory; (jobs a second, most memory)."""
    begun, most = time.monotonic(), 0
    worker = Worker(scene, "submit", submit, daemon.socket, jobs)
    while worker.process.exitcode is None:
        worker.process.join(0.2)
        most = max(most, memory(daemon))
    worker.join(1)
    return jobs / (time.monotonic() - begun), most


def restart(scene, daemon, hard, cold, jobs):
    """(the daemon, seconds until READY)"""
    daemon.kill() if hard else daemon.stop()
    path = os.path.join(daemon.state, "forebay.db")
    if cold:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    begun = time.monotonic()
    daemon = daemon.again(*SETTINGS)
    took = time.monotonic() - begun
    equal(jobs, daemon.client().request("status")[0]["queue"]["queued"], "queued after the restart")
    return daemon, took


def drain(api, daemon, count):
    """Let so many through; the order they came in, and the memory before and after."""
    client = daemon.client(timeout=120 * SLOWER)
    client.request("release")
    api.until(seconds=60 * SLOWER, completed=count // 4)
    early = memory(daemon)
    api.until(seconds=120 * SLOWER, completed=count)
    late = memory(daemon)
    client.request("hold")
    return [int(entry["tag"]) for entry in api.entries() if entry.get("tag")][:count], early, late


def main():
    begun = time.monotonic()
    given = arguments(__doc__, jobs=1000000 if LONG else 0, drain=5000)
    if not given.jobs:
        skip("a million jobs take minutes and 2 GB: run it with LONG=1, or with --jobs N")
    with Scene() as scene:
        api = scene.fakeapi("", "--seed", str(given.seed))
        daemon = scene.daemon(api, *SETTINGS)
        empty = memory(daemon)
        daemon.client().request("hold")
        speed, most = fill(scene, daemon, given.jobs)
        size = os.path.getsize(os.path.join(daemon.state, "forebay.db"))
        ready = []
        for hard, cold in ((False, False), (True, False), (True, True)):
            daemon, took = restart(scene, daemon, hard, cold, given.jobs)
            ready.append(took)
        idle = memory(daemon)
        check(max(most, idle) <= RSS, "VmRSS %d KiB while filling, %d after a restart" % (most >> 10, idle >> 10))
        check(max(ready) <= READY, "READY after %s s (end, kill -9, kill -9 and cold)" % ready)

        before = time.monotonic()
        order, early, late = drain(api, daemon, min(given.drain, given.jobs))
        took = time.monotonic() - before
        for place, number in enumerate(order, 1):
            check(abs(number - place) <= 2 * WORKERS, "job %d came as number %d" % (number, place))
        equal(len(order), len(set(order)), "different jobs")
        check(late <= RSS and late - early <= 4 << 20, "VmRSS %d KiB after %d jobs, %d after %d" % (
            early >> 10, len(order) // 4, late >> 10, len(order)))
        daemon.stop()
        check_database(os.path.join(daemon.state, "forebay.db"))
        finish("million", begun, "%d jobs at %.0f/s, %.0f MiB on disk; VmRSS %.1f MiB empty, %.1f filling, %.1f after a restart, "
               "%.1f and %.1f while draining; READY after %s s (end, kill -9, kill -9 and cold); %d drained in order at %.0f/s" % (
                   given.jobs, speed, size / (1 << 20), empty / (1 << 20), most / (1 << 20), idle / (1 << 20),
                   early / (1 << 20), late / (1 << 20), ", ".join("%.3f" % s for s in ready), len(order), len(order) / took))


if __name__ == "__main__":
    main()
