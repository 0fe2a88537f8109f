#!/usr/bin/env python3
"""How long ten small callers wait while one user has 100,000 jobs in the queue, beside an empty queue.

    fair.py [BACKLOG]      needs root: ten users

Environment: OUT (the build directory, "out"), ROUNDS (30).

Two daemons alike, one with the backlog, which runs on all workers, one without. In turns, ten users
submit one job each at the same moment; what is measured is from there to the answer. The API takes
about 100 ms for each of the backlog, more or less, and always the same for those of the ten. So one of
the workers becomes free every 3 ms, and a caller cannot start before one does.
"""
import os, statistics, sys, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "stories"))
from lib import Story, body, check, eventually, skip

WORKERS = 32
CALLERS = range(3001, 3011)
ROUNDS = int(os.environ.get("ROUNDS") or 30)
PIPELINE = 1000
GOAL = 2.0


def submit_many(client, count):
    for begin in range(0, count, PIPELINE):
        streams = [client.start("submit", body("backlog %d" % i)) for i in range(begin, min(count, begin + PIPELINE))]
        for stream in streams:
            client.finish(stream)


class Side:
    """A daemon, and its ten callers, each with a thread of its own."""

    def __init__(self, story, api, name):
        self.daemon = story.daemon(api, "daemon.workers=%d" % WORKERS, "limits.connections=0", name=name)
        self.root = self.daemon.client(timeout=120)
        self.callers = [self.daemon.client(uid) for uid in CALLERS]
        self.latencies, self.waits = [], []

    def one(self, caller, barrier, ids, i):
        barrier.wait()
        begun = time.monotonic()
        reply, _ = caller.finish(caller.start("submit", body("small"), want="result"))
        self.latencies.append(1000 * (time.monotonic() - begun))
        ids[i] = reply["id"]

    def round(self):
        barrier, ids = threading.Barrier(len(self.callers)), {}
        threads = [threading.Thread(target=self.one, args=(caller, barrier, ids, i))
                   for i, caller in enumerate(self.callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(len(ids) == len(self.callers), "a caller was not answered")
        self.waits += [self.root.show(id)[1][0]["waited_ms"] for id in ids.values()]

    def until(self, in_flight):
        eventually(lambda: self.root.request("status")[0]["in_flight"] == in_flight, "%d run" % in_flight, 60)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def slowest(side):
    """The last of the ten, in each round."""
    count = len(CALLERS)
    return [max(side.latencies[i:i + count]) for i in range(0, len(side.latencies), count)]


def row(name, side):
    return "%-28s %8.0f %8.0f %12.0f %10.0f %10.0f" % (
        name, percentile(side.latencies, 0.5), percentile(side.latencies, 0.99), statistics.median(slowest(side)),
        percentile(side.waits, 0.5), percentile(side.waits, 0.99))


def main(backlog):
    begun = time.monotonic()
    with Story() as story:
        api = story.fakeapi("ttfb=20 gen=80~0.4")
        empty, full = Side(story, api, "empty"), Side(story, api, "full")
        full.root.request("hold")
        submit_many(full.daemon.client(3000, timeout=120), backlog)
        for side in (empty, full):  # both have seen good weather
            submit_many(side.daemon.client(3000), 4 * WORKERS) if side is empty else side.root.request("release")
        full.until(WORKERS)
        empty.until(0)
        for _ in range(ROUNDS):
            empty.root.request("hold")  # as much work, on both sides, for those who measure
            full.root.request("release")
            api.until(arrivals=api.stats()["arrivals"] + 3 * WORKERS)
            full.until(WORKERS)
            full.round()
            full.root.request("hold")
            empty.root.request("release")
            full.until(0)
            empty.round()
        left = full.root.request("status")[0]["queue"]["queued"]
        check(left > 0, "the backlog ran out: take a bigger one")
        for side in (empty, full):
            side.daemon.kill()
        ratio = statistics.median(a / b for a, b in zip(slowest(full), slowest(empty)))
        print("%-28s %8s %8s %12s %10s %10s" % (
            "ms, %d rounds of ten" % ROUNDS, "p50", "p99", "last of ten", "wait p50", "wait p99"))
        print(row("empty queue", empty))
        print(row("%d jobs of another" % backlog, full))
        print("p99 with the backlog over p99 without: %.2f; of the last of ten, median of the rounds: %.2f (goal <= %.0f)%s" % (
            percentile(full.latencies, 0.99) / percentile(empty.latencies, 0.99), ratio, GOAL,
            "" if ratio <= GOAL else "  MISSED"))
        print("%d of the backlog are still queued; %.0f s" % (left, time.monotonic() - begun))


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip("ten users are needed, and only root can be all of them")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100000)
