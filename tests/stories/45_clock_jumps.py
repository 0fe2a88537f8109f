#!/usr/bin/env python3
"""When the wall clock is set, pauses and holds keep their length, dates and deadlines follow it, and nothing is lost."""
import datetime, math, os, shutil, struct, subprocess, threading, time
from lib import MODEL, ROOT, Story, body, check, equal, eventually, skip

HOUR, DAY = 3600, 86400
WORKERS = 16
CC = shutil.which(os.environ.get("CC", "cc"))
if os.environ.get("SAN"):
    skip("a sanitizer wants to be the first library, and so does the clock that jumps")
if not CC:
    skip("no C compiler for the clock that jumps")


class Clock:
    """The wall clock of whoever runs under it."""

    def __init__(self, story):
        self.path, self.by = story.file("shift", struct.pack("d", 0)), 0
        library = os.path.join(story.dir, "clock_shift.so")
        subprocess.run([CC, "-shared", "-fPIC", "-O1", "-o", library, os.path.join(ROOT, "tests/crash/clock_shift.c")],
                       check=True)
        self.env = {"LD_PRELOAD": library, "CLOCK_SHIFT": self.path}

    def set(self, by):
        self.by = by
        with open(self.path, "r+b") as file:
            file.write(struct.pack("d", by))

    @staticmethod
    def until_noticed():
        """The daemon looks at it every second, and tells nobody."""
        threading.Event().wait(1.5)

    def text(self, seconds):
        """The time in so many seconds, as that clock will show it."""
        at = datetime.datetime.fromtimestamp(time.time() + self.by + seconds, datetime.timezone.utc)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def law(age):
    """The pause of an eager gate without its jitter, see daemon/gate/gate.c."""
    return min(4.0, math.sqrt(max(0.0, age) / WORKERS))


def weather(client, name):
    gate, = [gate for gate in client.request("gates")[0]["gates"] if gate["name"] == name]
    return gate


def check_next_probes(api, first, count, known=None):
    """The pauses before the next probes are those of the law: known, when the last one was refused."""
    seen = api.stats()["arrivals"]
    api.until(arrivals=seen + count)
    entries = api.entries()[seen - 1:]
    for before, after in zip(entries, entries[1:]):
        gap, least = after["t"] - before["t_end"], law(before["t_end"] - first)
        check(0.8 * least - 0.02 < gap < 1.2 * least + 0.7, "after the clock was set a probe came after %.3f s, not %.3f" % (
            gap, least))


with Story() as story:
    wall = Clock(story)
    settings = ("gate.manner=eager", "daemon.workers=%d" % WORKERS)
    api = story.fakeapi("dark")
    daemon = story.daemon(api, *settings, env=wall.env)
    client = daemon.client()
    dark = {client.submit(body("[tag:d%d] [echo:d%d]" % (i, i)), deadline_ms=30 * DAY * 1000): "d%d" % i for i in range(20)}
    client.until_status(lambda status: any(gate["weather"] == "dark" for gate in status["gates"]))
    first = api.entries()[0]["t_end"]
    for by in (HOUR, -HOUR, DAY):
        wall.set(by)
        check_next_probes(api, first, 2)

    # Set back, and killed before anything was written: the record is one of the future.
    daemon.kill()
    wall.set(-HOUR)
    daemon = daemon.again(*settings, env=wall.env)
    client = daemon.client()
    equal("dark", weather(client, MODEL)["weather"])
    check_next_probes(api, first, 2)
    api.control("calm")
    equal([*dark.values()], [client.text(id) for id in dark])

    # What the server asked for lasts as long as it asked, on a clock that is set forward, and on one that
    # is set back while nobody looks.
    for tag, by, killed in (("forward", HOUR, False), ("back", -HOUR, True)):
        wall.set(0)
        id = client.submit(body("[tag:%s] [echo:%s] [fake:429 retry-after=3*1]" % (tag, tag)))
        eventually(lambda: weather(client, MODEL)["weather"] == "held", "the gate is held")
        eventually(lambda: client.request("status")[0]["queue"]["running"] == 0, "its end is on disk")
        wall.set(by)
        if killed:
            daemon.kill()
            daemon = daemon.again(*settings, env=wall.env)
            client = daemon.client()
        equal(tag, client.text(id))
        refused, accepted = api.attempts(tag)
        gap = accepted["t"] - refused["t_end"]
        check(2.95 < gap < 3.0 + 3, "asked to wait for 3 s, it waited %.2f s" % gap)

    # Dates are dates. A start two hours from now comes with the clock, and goes away with it.
    wall.set(0)
    later = client.submit(body("[tag:later] [echo:later]"), not_before=wall.text(2 * HOUR))
    soon = client.submit(body("[tag:soon] [echo:soon]"), not_before=wall.text(2))
    equal(["delayed"] * 2, [client.show(id)[0]["state"] for id in (later, soon)])
    wall.set(-HOUR)
    wall.until_noticed()
    wall.until_noticed()
    equal("delayed", client.show(soon)[0]["state"], "an hour and a second are left")
    wall.set(0)
    equal("soon", client.text(soon))
    wall.set(2 * HOUR)
    equal("later", client.text(later))

    # So are deadlines: what they forbid is not sent.
    client.request("hold", target=MODEL)
    wall.set(0)
    ids = [client.submit(body("[tag:never] [echo:%d]" % hours), deadline_ms=hours * HOUR * 1000) for hours in (1, 3)]
    wall.set(-DAY)
    equal(["queued"] * 2, [client.show(id)[0]["state"] for id in ids])
    wall.set(2 * HOUR)
    equal("expired", client.end_of(ids[0])[0]["state"])
    equal("queued", client.show(ids[1])[0]["state"])
    client.request("release", target=MODEL)
    equal("3", client.text(ids[1]))
    equal(1, len(api.attempts("never")))

    # And the day a spending limit ends.
    wall.set(0)
    wall.until_noticed()
    id = client.submit(body("[tag:bill] [echo:paid] [fake:usage until=2h*1]"))
    eventually(lambda: weather(client, "key")["weather"] == "held", "the key's gate is closed")
    date = weather(client, "key")["held_until"]
    wall.set(-HOUR)
    eventually(lambda: weather(client, "key")["held_until"][:15] == date[:15], "the date stays the same")
    daemon.kill()
    daemon = daemon.again(*settings, env=wall.env)
    client = daemon.client()
    equal(date[:15], weather(client, "key")["held_until"][:15], "after a kill")
    wall.set(3 * HOUR)
    equal("paid", client.text(id))

    status = client.request("status")[0]["queue"]
    equal((0, 0, 1), (status["queued"] + status["delayed"] + status["running"], status["failed"], status["expired"]))
