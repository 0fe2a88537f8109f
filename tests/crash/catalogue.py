#!/usr/bin/env python3
"""Everything that can go wrong at the API, all at once and at random: the daemon forgets no job, tells nobody the key,
writes no flood of lines, and comes back to where it was.

    catalogue.py [--seconds N] [--seed N]    default 15 s, LONG=1: 300 s

A third of the time is a first round, after which descriptors and memory are counted; the rest is the second,
after which they must be the same again.
"""
from crash import *
import re, stat, threading

CLIENTS = 10
BATCH = 8
MODELS_USED = 30
DEADLINE_MS = 4000 * SLOWER
LINES_A_SECOND = 200  # LOG_LINES_PER_SECOND in daemon/base/log.h
MORE_MEMORY = 16 << 20
SETTINGS = ("daemon.log_level=debug", "daemon.workers=64", "queue.retry_min=20ms", "queue.retry_max=300ms",
            "upstream.idle_timeout=800ms", "upstream.first_byte_timeout=800ms", "upstream.lifetime=5s",
            "upstream.max_answer=256K")
# Styles are good answers of another sort; what says our key back has a story of its own.
STYLES = ("refusal", "thinking", "tool", "no-content", "unknown", "mistyped")

# These stop everybody until the keeper comes: after their turn they are met more rarely.
CLOSING = re.compile("spend|contract|usage|credit|billing|linked|402|on-hold|key-creator|cmek-disabled|401|403|auth")


def deal(dice, faults):
    """Every fault once, then for ever at random, with good answers between them."""
    yield from dice.sample(faults, len(faults))
    while True:
        fault = dice.choice(faults)
        if not CLOSING.match(fault) or dice.random() < 0.1:
            yield "calm" if dice.random() < 0.3 else fault


def a_job(dice, words, tag):
    """A body and its options: mostly something that goes wrong, once, twice or always."""
    if dice.random() < 0.1:
        words += " should-retry=" + dice.choice(("true", "false"))
    if dice.random() < 0.1:
        words += " retry-after=1"
    if dice.random() < 0.1:
        words += " until=1s"
    times = dice.choice(("*1", "*1", "*2", "*4", ""))
    size = dice.choice((0, 0, 0, 100, 3000, 40000))
    text = "[tag:%s] [echo:%s%s] [fake:%s%s]%s" % (tag, tag, "." * size, words, times,
                                                   "x" * dice.choice((0, 0, 500, 20000, 300000)))
    options = {"transport": dice.choice(("default", "stream", "stream", "plain")), "attempts": dice.randint(1, 4),
               "deadline_ms": DEADLINE_MS, "ephemeral": dice.random() < 0.2}
    return body(text, model="m-%d" % dice.randrange(MODELS_USED)), tag + "." * size, options


def heard_of(client, stream, key):
    """A followed job to its end, as Client.collect(), while the key is looked for in all that comes."""
    id, reply, data = None, None, b""
    for kind, value in client.answer(stream):
        check(key not in (value if isinstance(value, bytes) else json.dumps(value).encode()),
              "a client was told the key: %s" % (value,))
        if kind in (EVENT, REPLY) and "id" in value:
            id = value["id"]
        if kind == REPLY:
            reply = value
        elif kind == DATA:
            data += value
    check(key not in data, "a result holds the key")
    return id, reply, data


def program(told, path, key, faults, name, seed, until):
    """Batches of jobs over one connection each, some of which are canceled, until the time is over."""
    dice, number = seeded(seed, name), 0
    words = deal(dice, faults)
    while time.monotonic() < until:
        client = Client(path, timeout=60 * SLOWER)
        jobs = []
        for _ in range(BATCH):
            number += 1
            data, text, options = a_job(dice, next(words), "%s-%d" % (name, number))
            jobs.append((client.start("submit", data, want="result", follow=True, **options), text, options))
        if dice.random() < 0.1:  # without a word
            client.socket.close()
            continue
        for stream, text, options in jobs:
            if dice.random() < 0.05:
                client.cancel_stream(stream)
                continue
            try:
                id, reply, data = heard_of(client, stream, key)
            except ForebayError as error:
                told(refused=error.error)
                continue
            state = reply["state"]
            told(id=id, state=state, ephemeral=options["ephemeral"], error=reply.get("error"))
            check(state in FINAL, "an end that is none: %s" % reply)
            check(state == "succeeded" or reply.get("error") not in (None, "ok"), "no error: %s" % reply)
            said = text_of(data) if state == "succeeded" else text
            check(said in (text, ""), "another answer: %r instead of %r" % (said[:80], text[:80]))
        client.close()


class Keeper(threading.Thread):
    """Whoever looks after the daemon: opens the key's gate again and again, and asks this and that meanwhile."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.client, self.daemon_, self.released, self.over = daemon.client(), daemon, 0, threading.Event()
        self.output, self.error = [], None

    def run(self):
        dice = seeded("keeper")
        try:
            while not self.over.wait(0.03):
                status = self.client.request("status")[0]
                if any(gate["name"] == "key" and gate["weather"] == "held" for gate in status["gates"]):
                    self.client.request("release", target="key")
                    self.released += 1
                if dice.random() < 0.1:
                    self.look(dice)
        except Exception as error:
            self.error = error

    def look(self, dice):
        last = self.client.rows("list", limit=20, all=True)
        words = dice.choice((("status",), ("gates",), ("list", "--all"), ("stats",), ("--json", "gates")))
        if last and dice.random() < 0.6:
            words = (dice.choice(("show", "explain", "result")), dice.choice(last)["id"])
        got = self.daemon_.cli(*words, status=None)
        self.output.append(got.stdout + got.stderr)


class Lines(threading.Thread):
    """How many lines the log gets in its worst second."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.path, self.times, self.over, self.late = daemon.log_path, [], threading.Event(), 0

    def run(self):
        before = time.monotonic()
        with open(self.path, "rb") as log:
            while not self.over.wait(0.02):
                count, now = log.read().count(b"\n"), time.monotonic()
                self.times += [now] * count
                self.late, before = max(self.late, now - before), now

    def bound(self):
        """Two of the daemon's seconds may touch, and we may have been late to look."""
        return int(LINES_A_SECOND * (2 + self.late))

    def worst(self):
        first = worst = 0
        for i, when in enumerate(self.times):
            while self.times[first] <= when - 1:
                first += 1
            worst = max(worst, i + 1 - first)
        return worst


def descriptors(daemon, api):
    """What is open, sorted, but for connections to the API, which are kept for the next request; and how many those are."""
    kept, others = 0, []
    with open("/proc/%d/net/tcp" % daemon.pid) as table:
        rows = [line.split() for line in table][1:]
    upstream = {row[9] for row in rows if int(row[2].split(":")[1], 16) == api.address.port}
    for name in os.listdir("/proc/%d/fd" % daemon.pid):
        with contextlib.suppress(FileNotFoundError):
            to = os.readlink("/proc/%d/fd/%s" % (daemon.pid, name))
            if to.startswith("socket:") and to[8:-1] in upstream:
                kept += 1
            else:
                others.append(re.sub(r":\[\d+\]", "", to))
    return sorted(others), kept


def memory(daemon):
    with open("/proc/%d/status" % daemon.pid) as status:
        return 1024 * int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


def until_idle(daemon, api):
    """No job is left, nobody is connected but us, nothing is on its way."""
    client, left = daemon.client(), clock(60 * SLOWER)

    def busy():
        status = client.request("status")[0]
        queue = status["queue"]
        return status["in_flight"] or sum(queue[state] for state in ("queued", "running", "delayed")) or \
            status["connections"] > 2 or api.stats()["open"]
    while busy():
        left("getting idle")
        time.sleep(0.05)
    client.close()
    time.sleep(0.2)


def catalogue(api):
    return [name for name in api.ask("GET", "/_faults")[1].decode().split()]


def play(scene, daemon, api, name, seed, seconds):
    """One round: the load, then until nothing is left of it."""
    faults = catalogue(api)
    until = time.monotonic() + seconds
    clients = [Worker(scene, "%s-%d" % (name, i), program, daemon.socket, scene.key.encode(),
                      faults[i::CLIENTS], "%s%d" % (name, i), seed, until) for i in range(CLIENTS)]
    for client in clients:
        client.join(seconds + 60 * SLOWER)
    until_idle(daemon, api)
    return [fact for client in clients for fact in client.told()]


def check_jobs(daemon, facts):
    """Nobody was told another end than the one on disk, and everything has ended."""
    client = daemon.client()
    rows = {row["id"]: row for row in all_rows(client, all=True)}
    client.close()
    for row in rows.values():
        check(row["state"] in FINAL, "a job that has not ended: %s" % row)
    for fact in facts:
        if "id" in fact:
            check(fact["id"] in rows, "a job is lost: %s" % fact)
            equal(rows[fact["id"]]["state"], fact["state"], "job %d" % fact["id"])
    return rows


def check_key(scene, daemon, keeper):
    """The key is in requests, and nowhere else: its own file is the one exception."""
    key, places = scene.key.encode(), [daemon.log_path, scene.api.transcript]
    places += [os.path.join(folder, name) for folder, _, names in os.walk(daemon.state) for name in names]
    places += [os.path.join(scene.dir, name) for name in os.listdir(scene.dir) if name.endswith(".told")]
    if daemon.running():
        places += ["/proc/%d/%s" % (daemon.pid, name) for name in ("environ", "cmdline", "comm")]
    for place in places:
        if os.path.exists(place) and not stat.S_ISSOCK(os.stat(place).st_mode):
            check(key not in open(place, "rb").read(), "the key is in " + place)
    check(not any(scene.key in text for text in keeper.output), "the command printed the key")


def main():
    begun = time.monotonic()
    given = arguments(__doc__, seconds=300.0 if LONG else 15.0)
    with Scene() as scene:
        api = scene.fakeapi("ttfb=20~0.4 gen=60~0.5 refuse=10 drip=5 ping=100", "--keep-bodies", "0")
        daemon = scene.daemon(api, *SETTINGS)
        lines, keeper = Lines(daemon), Keeper(daemon)
        lines.start()
        keeper.start()
        facts = play(scene, daemon, api, "first", given.seed, given.seconds / 3)
        (before, _), rss = descriptors(daemon, api), memory(daemon)
        facts += play(scene, daemon, api, "second", given.seed, given.seconds * 2 / 3)
        (after, kept), rss_after = descriptors(daemon, api), memory(daemon)
        keeper.over.set()
        keeper.join()
        lines.over.set()
        lines.join()
        if keeper.error:
            raise keeper.error

        check(daemon.running(), "it has ended")
        equal(before, after, "open descriptors")
        check(kept <= 2 * 64, "%d connections to the API are kept" % kept)
        check(os.environ.get("SAN") or rss_after <= rss + MORE_MEMORY, "from %.1f to %.1f MiB of memory" % (
            rss / 2**20, rss_after / 2**20))
        worst = lines.worst()
        check(worst <= lines.bound(), "%d lines in a second, the bound is %d" % (worst, lines.bound()))
        rows = check_jobs(daemon, facts)
        stats = api.stats()
        met = sum(1 for count in stats["by_fault"].values() if count)
        known = len(set(catalogue(api)) - set(STYLES))
        check_key(scene, daemon, keeper)
        daemon.stop()
        check_key(scene, daemon, keeper)
        check_database(os.path.join(daemon.state, "forebay.db"))
        states = {state: sum(row["state"] == state for row in rows.values()) for state in FINAL}
        finish("catalogue", begun, "%d jobs (%s), %d requests, %d of %d faults met, key's gate opened %d times, "
               "%d lines in the worst second of %d, %.1f -> %.1f MiB, %d descriptors as before, %d connections kept; seed %d" % (
                   len(rows), ", ".join("%d %s" % (count, state) for state, count in states.items()), stats["arrivals"],
                   met, known, keeper.released, worst, len(lines.times), rss / 2**20, rss_after / 2**20, len(after), kept,
                   given.seed))


if __name__ == "__main__":
    main()
