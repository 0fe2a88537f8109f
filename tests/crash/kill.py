#!/usr/bin/env python3
"""kill -9 at random instants under load: nothing acknowledged is lost, no double call is hidden.

    kill.py [--kills N] [--seed N]      default 15 kills, LONG=1: 500

Clients of several kinds submit, wait, follow and cancel while the daemon is killed and started
again. In the end the daemon's queue, its ledger and the fake API's log are compared with what the
clients were told.
"""
from crash import *
import bisect, subprocess

WORKERS = 12
SETTINGS = ("daemon.workers=%d" % WORKERS, "queue.window=16")
WEATHER = "p=0.03 500=0.01 cut=0.02 error-mid=0.01 ttfb=12~0.6 gen=50~0.8 refuse=4"
PATIENCE = 600  # a job may be killed many times before it comes through
MOST_OPEN = 40  # jobs of a client that have not ended
OPEN_ENDS = ("unknown", "canceled")  # of attempts that nobody saw to their end


def prompt(tag, chance):
    """A request that is answered with its tag; now and then one that fills several chunks."""
    size = chance.choice((0, 0, 0, 0, 0, 300, 9000, 90000, 400000)) if chance.random() < 0.5 else 0
    return body("[tag:%s] [echo:%s] %s" % (tag, tag, "x" * size), model=chance.choice(MODELS))


def options(chance):
    return {"class": chance.choice(("interactive", "normal", "patient")), "priority": chance.randint(-3, 3),
            "transport": chance.choice(("stream", "stream", "plain"))}


def took(told, tag, reply, data):
    told(tag=tag, id=reply["id"], state=reply["state"], answer=digest(data),
         text=text_of(data) if reply["state"] == "succeeded" else None, error=reply.get("error"))


class Jobs:
    """Jobs of one client: the keys it chose and the ids it was told."""

    def __init__(self, name, seed, told, patient, always={}):
        self.name, self.told, self.patient, self.always, self.count = name, told, patient, always, 0
        self.chance, self.ids, self.made = seeded(seed, name), {}, {}

    def new(self, count):
        """Submit so many at once; their tags."""
        fresh = {}
        for _ in range(count):
            self.count += 1
            tag = "%s-%d" % (self.name, self.count)
            fresh[tag] = self.made[tag] = (prompt(tag, self.chance), {**options(self.chance), **self.always})
        self.patient.submit_all(fresh, self.acknowledged)
        return list(fresh)

    def acknowledged(self, tag, reply):
        self.told(tag=tag, id=reply["id"], state=reply["state"], existing=reply.get("existing", False))
        if tag in self.ids:
            equal(self.ids[tag], reply["id"], "the same key must find the same job")
            check(reply.get("existing"), "key %s: a second job was made" % tag)
        self.ids[tag] = reply["id"]

    def fetch(self, tag):
        """The result of a job that has ended."""
        reply, data = self.patient.request("result", id=self.ids[tag])
        took(self.told, tag, reply, data)


def submitter(told, path, seed, name, stop):
    """Many at once, then wait for some, then fetch those; now and then a key is used again."""
    jobs, pending = Jobs(name, seed, told, Patient(path, PATIENCE)), []
    chance = jobs.chance
    while not stop.is_set() or pending:
        if not stop.is_set() and len(pending) < MOST_OPEN:
            pending += jobs.new(chance.randint(1, 12))
        if chance.random() < 0.2:
            tag = chance.choice(list(jobs.ids))
            jobs.patient.submit_all({tag: jobs.made[tag]}, jobs.acknowledged)
        reply, _ = jobs.patient.request("wait", ids=[jobs.ids[tag] for tag in pending], any=True,
                                        timeout_ms=chance.choice((5, 50, 500, 60000)))
        ended = [tag for tag, job in zip(pending, reply["jobs"]) if job.get("state") in FINAL]
        missing = [job for job in reply["jobs"] if "error" in job]
        check(not missing, "wait does not know what was acknowledged: %s" % missing)
        for tag in ended:
            jobs.fetch(tag)
            pending.remove(tag)


def follower(told, path, seed, name, stop):
    """One at a time, watched to its end; the live bytes must be those of the answer."""
    jobs = Jobs(name, seed, told, Patient(path, PATIENCE))
    while not stop.is_set():
        [tag] = jobs.new(1)
        attempt, live = None, bytearray()

        def talk(client):
            nonlocal attempt
            place = {"from": {"attempt": attempt, "offset": len(live)}} if attempt else {}
            reply, data = None, b""
            for kind, value in client.follow(jobs.ids[tag], **place):
                if kind == EVENT and value["event"] == "attempt":
                    if value.get("restart") or value["attempt"] != attempt:
                        live.clear()
                    attempt = value["attempt"]
                elif kind == CHUNK:
                    live.extend(value)
                elif kind == REPLY:
                    reply = value
                elif kind == DATA:
                    data += value
            return reply, data
        reply, data = jobs.patient.persist(talk)
        took(told, tag, reply, data)
        if b"event: message_stop" in live:
            events = [json.loads(line[5:]) for line in live.split(b"\n") if line.startswith(b"data:")]
            text = "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")
            equal(text_of(data), text, "the live bytes of %s are not its answer" % tag)


def canceler(told, path, seed, name, stop):
    """Cancel some of what was submitted; a cancel that was answered stays."""
    jobs = Jobs(name, seed, told, Patient(path, PATIENCE), {"class": "interactive"})
    while not stop.is_set():
        tags = jobs.new(jobs.chance.randint(1, 6))
        time.sleep(jobs.chance.choice((0, 0, 0.02, 0.1)))
        chosen = jobs.chance.sample(tags, jobs.chance.randint(1, len(tags)))
        reply, _ = jobs.patient.request("cancel", ids=[jobs.ids[tag] for tag in chosen])
        for tag, job in zip(chosen, reply["jobs"]):
            check("error" not in job or job.get("state") in FINAL or "ended" in job.get("message", ""),
                  "cancel of %s: %s" % (tag, job))
            if job.get("state"):
                told(tag=tag, id=jobs.ids[tag], state=job["state"], canceled=True)
        jobs.patient.request("wait", ids=[jobs.ids[tag] for tag in tags])
        for tag in tags:
            jobs.fetch(tag)


def ephemeral(told, path, seed, name, stop):
    """Jobs that die with their connection: they may end at any time, but their ids are no others'."""
    chance, count = seeded(seed, name), 0
    while not stop.is_set():
        count += 1
        tag = "%s-%d" % (name, count)
        patient = Patient(path)
        try:
            client = patient.connect()
            stream = client.start("submit", prompt(tag, chance), want="result", follow=True,
                                  ephemeral=True, label="ephemeral")
            for kind, value in client.answer(stream):
                if kind == EVENT and value["event"] == "queued":
                    told(ephemeral=tag, id=value["id"])
        except TimeoutError:
            raise
        except (OSError, ForebayError):
            pass
        patient.drop()


def command(told, path, seed, name, stop, forebay, directory):
    """The command, which reconnects by itself: a script that only repeats what was never begun."""
    chance, count = seeded(seed, name), 0

    def run(*words, stdin=b""):
        while True:
            got = subprocess.run([forebay, "--socket", path, *words], input=stdin, capture_output=True,
                                 timeout=PATIENCE, cwd=directory, env={**os.environ, "HOME": directory})
            if got.returncode not in (3, 75):  # unreachable, draining
                check(got.returncode == 0, "forebay %s: status %d\n%s" % (words, got.returncode, got.stderr.decode()))
                return got.stdout
            time.sleep(0.01)
    while not stop.is_set():
        count += 1
        tag = "%s-%d" % (name, count)
        if chance.random() < 0.5:
            text = run("ask", "--no-stream", "-m", MODELS[0], "--key", tag, "[tag:%s] [echo:%s]" % (tag, tag)).decode().strip()
            id = int(run("submit", "--key", tag + "-x", stdin=prompt(tag + "-x", chance)).decode())
            told(tag=tag + "-x", id=id, state="queued")
            equal(tag, text, "the answer of the command")
        else:
            data = prompt(tag, chance)
            id = int(run("submit", "--key", tag, stdin=data).decode())
            told(tag=tag, id=id, state="queued")
            run("wait", str(id))
            text = run("result", str(id)).decode().strip()
            told(tag=tag, id=id, state="succeeded", text=text, answer=None)


class Killer:
    """Chooses the instant: by the clock, or by what is seen of a job of its own."""

    def __init__(self, seed, api):
        self.api, self.chance = api, seeded(seed, "killer")
        self.count, self.sent = 0, {}
        self.kinds = {}

    def mine(self):
        self.count += 1
        tag = "killer-%d" % self.count
        data = body("[tag:%s] [echo:%s]" % (tag, tag))
        self.sent[tag] = data
        return tag, data

    def by_the_clock(self, daemon):
        time.sleep(self.chance.uniform(0, 0.25))

    def while_submitting(self, daemon):
        client = daemon.client()
        for _ in range(self.chance.randint(1, 8)):
            tag, data = self.mine()
            client.start("submit", data, key=tag)
        client.socket.setblocking(True)
        if self.chance.random() < 0.5:
            client.read()

    def while_it_streams(self, daemon):
        client = daemon.client()
        tag, data = self.mine()
        stream = client.start("follow", id=client.submit(data, key=tag))
        client.until(stream, lambda kind, value: kind in (CHUNK, REPLY))
        time.sleep(self.chance.uniform(0, 0.03))

    def as_it_starts(self, daemon):
        client = daemon.client()
        tag, data = self.mine()
        id = client.submit(data, key=tag)
        client.until(client.start("follow", id=id),
                     lambda kind, value: kind == REPLY or (kind == EVENT and value.get("state") == "running"))

    def at_the_end(self, daemon):
        """The API has said its last word; the commit may or may not be through."""
        self.api.until(completed=self.api.stats()["completed"] + self.chance.randint(1, 3))
        time.sleep(self.chance.choice((0, 0, 0.001, 0.002, 0.004)))

    def when_told(self, daemon):
        client = daemon.client()
        tag, data = self.mine()
        client.end_of(client.submit(data, key=tag))

    def wait_for_it(self, daemon):
        kind = self.chance.choice((self.by_the_clock, self.by_the_clock, self.while_submitting, self.while_it_streams,
                                   self.as_it_starts, self.at_the_end, self.when_told))
        self.kinds[kind.__name__] = self.kinds.get(kind.__name__, 0) + 1
        kind(daemon)


def tells_of(row, arrival):
    """Could this row of the ledger be this request as the API saw it?"""
    outcome, fault = row["outcome"], arrival["fault"] or ""
    if outcome in OPEN_ENDS:
        return True
    if outcome == "succeeded":
        return arrival["outcome"] == "complete" and arrival["status"] == 200 and not fault
    if outcome == "overloaded":
        return arrival["status"] == 529 or fault.startswith("error")
    return outcome == "fault" and fault != ""


def is_told(rows, arrivals):
    """Do the rows tell of every arrival, in order? Only one whose end is unknown may have none."""
    if not rows:
        return not arrivals
    if arrivals and tells_of(rows[0], arrivals[0]) and is_told(rows[1:], arrivals[1:]):
        return True
    return rows[0]["outcome"] in OPEN_ENDS and is_told(rows[1:], arrivals)


def compare_ledger(tag, attempts, arrivals):
    rows = [row for row in attempts if row["sent"]]
    words = "\n  ledger %s\n  API %s" % (attempts, arrivals)
    check(is_told(rows, arrivals), tag + ": the ledger is not what the API saw" + words)
    for row in rows:
        check(row["outcome"], "%s: a row that was never closed, after the end%s" % (tag, words))
        if row["outcome"] == "unknown":
            equal("unknown, may have been billed", row.get("billing"), "%s, attempt %d" % (tag, row["attempt"]))


def compare(client, api, facts):
    """The daemon's queue, its ledger and the API's log with what clients were told."""
    by_tag, ephemeral_ids = {}, set()
    for fact in facts:
        if "ephemeral" in fact:
            ephemeral_ids.add(fact["id"])
        else:
            by_tag.setdefault(fact["tag"], []).append(fact)
    rows = {row["id"]: row for row in all_rows(client)}
    arrivals = {}
    for entry in api.entries():
        arrivals.setdefault(entry.get("tag"), []).append(entry)
    ids, canceled, twice, unknown = {}, 0, 0, 0
    for tag, told in by_tag.items():
        id = told[0]["id"]
        equal({id}, {fact["id"] for fact in told}, tag + " was told two ids")
        check(id not in ids, "%s and %s were told the same id %d" % (tag, ids.get(id), id))
        check(id not in ephemeral_ids, "%s has the id %d of an ephemeral job" % (tag, id))
        ids[id] = tag
        check(id in rows, "%s was acknowledged as job %d, and is lost" % (tag, id))
        ends = {fact["state"] for fact in told if fact["state"] in FINAL}
        check(len(ends) <= 1, "%s ended twice: %s" % (tag, ends))
        reply, data = client.result(id)
        if ends:
            equal(ends, {reply["state"]}, "%s: the end that was told" % tag)
        answers = {fact["answer"] for fact in told if fact.get("answer")} | {digest(data)}
        equal(1, len(answers), "%s: its answer changed" % tag)
        if any(fact.get("canceled") for fact in told) and reply["state"] == "canceled":
            canceled += 1
        else:
            equal("succeeded", reply["state"], "%s: %s" % (tag, reply))
            equal(tag, text_of(data), "the answer of " + tag)
        texts = {fact["text"] for fact in told if fact.get("text") is not None}
        check(texts <= {tag}, "%s was answered %s" % (tag, texts))
        _, attempts = client.show(id)
        compare_ledger(tag, attempts, arrivals.get(tag, []))
        twice += sum(arrival["accepted"] for arrival in arrivals.get(tag, [])) > 1
        unknown += any(row["outcome"] == "unknown" for row in attempts)
    extra = [row for id, row in rows.items() if id not in ids and row.get("label") != "ephemeral"]
    return by_tag, extra, canceled, twice, unknown


def expect_extra(client, extra, told, sent):
    """Jobs whose acknowledgement never came: each key has made one job, of the killer's or of `ask`."""
    seen = set()
    for row in extra:
        reply, data = client.result(row["id"])
        equal("succeeded", reply["state"], "job %d: %s" % (row["id"], reply))
        tag = text_of(data)
        check(tag not in seen and tag not in told, "%s has become two jobs" % tag)
        check(tag in sent or tag.startswith("command"), "job %d: nobody submitted %s" % (row["id"], tag))
        seen.add(tag)


def check_ephemeral(api, starts):
    """A job that ends with its connection is sent in one run of the daemon only."""
    runs = {}
    for entry in api.entries():
        if (entry.get("tag") or "").startswith("ephemeral"):
            runs.setdefault(entry["tag"], set()).add(bisect.bisect(starts, entry["t"]))
    for tag, seen in runs.items():
        check(len(seen) == 1, "%s was sent again after its client was gone, in the runs %s" % (tag, sorted(seen)))


def rounds(scene, api, daemon, killer, kills, clients, starts):
    for number in range(kills):
        try:
            killer.wait_for_it(daemon)
        finally:
            by_itself = not daemon.running()
            status = daemon.kill()
            check(not by_itself, "round %d: the daemon ended by itself, status %d" % (number + 1, status))
        if killer.chance.random() < 0.1:
            check_copy(daemon.state, os.path.join(scene.dir, "copy"))
        if killer.chance.random() < 0.15:  # and once more while it starts
            daemon = daemon.again(*SETTINGS, ready=False)
            time.sleep(killer.chance.uniform(0, 0.06))
            daemon.kill()
        starts.append(api.stats()["t"])  # nobody sends anything now
        daemon = daemon.again(*SETTINGS)
        for client in clients:
            check(not client.ended_badly(), "after kill %d the client %s failed:\n%s" % (number + 1, client.name, client.why()))
    return daemon


def main():
    begun = time.monotonic()
    given = arguments(__doc__, kills=500 if LONG else 15)
    with Scene() as scene:
        api = scene.fakeapi(WEATHER, "--seed", str(given.seed))
        daemon = scene.daemon(api, *SETTINGS)
        stop = multiprocessing.get_context("fork").Event()
        who = [("submit-a", submitter), ("submit-b", submitter), ("submit-c", submitter), ("follow-a", follower),
               ("follow-b", follower), ("cancel", canceler), ("ephemeral", ephemeral)]
        clients = [Worker(scene, name, function, daemon.socket, given.seed, name, stop) for name, function in who]
        clients.append(Worker(scene, "command", command, daemon.socket, given.seed, "command", stop,
                              daemon.command()[0], scene.dir))
        killer = Killer(given.seed, api)
        starts = []
        daemon = rounds(scene, api, daemon, killer, given.kills, clients, starts)
        stop.set()
        for client in clients:
            client.join(120 * SLOWER)

        client = daemon.client(timeout=60 * SLOWER)
        client.until_status(lambda status: not any(status["queue"][state] for state in ("queued", "delayed", "running")))
        facts = [fact for worker in clients for fact in worker.told()]
        told, extra, canceled, twice, unknown = compare(client, api, facts)
        expect_extra(client, extra, told, killer.sent)
        check_ephemeral(api, starts)
        daemon.stop()
        check_database(os.path.join(daemon.state, "forebay.db"))
        check(unknown > 0, "no kill hit a running job: this proved nothing")
        finish("kill", begun, "%d kills (%s), %d jobs acknowledged, 0 lost, %d canceled, %d called twice and %d possibly, "
               "all marked; seed %d" % (given.kills, ", ".join("%d %s" % (n, k) for k, n in sorted(killer.kinds.items())),
                                        len(told), canceled, twice, unknown, given.seed))


if __name__ == "__main__":
    main()
