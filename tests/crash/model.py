#!/usr/bin/env python3
"""Random verbs against a model in memory, with restarts in between: states are equal after each.

    model.py [--seconds S] [--seed N]      default 10 s, LONG=1: 120 s

Restarts are kill -9 or an orderly end, between two verbs or in the middle of one; then both the
state before and the state after it are right, and the model goes on with the one it finds.
"""
from crash import *
from lib import MODEL, refused

FAR = 3600
WORKERS = 200  # nobody waits for a slot: states depend on verbs alone
SETTINGS = ("daemon.workers=%d" % WORKERS, "daemon.drain_timeout=200ms", "queue.window=8")
MOST_JOBS = 120
LABELS = ("red", "green", None)

# What becomes of a kind of job when it is sent: for the first time, and again.
KINDS = {"quick": ("succeeded", "succeeded"), "bad": ("failed", "failed"), "slow": ("running", "succeeded")}
MARKS = {"quick": "", "bad": "[fake:400]", "slow": "[fake:gen=1h@1]"}


class Job:
    def __init__(self, kind, tag, label, state, key=None):
        self.kind, self.tag, self.label, self.state, self.key = kind, tag, label, state, key
        self.may_be = None  # several states, after a verb that broke off

    def body(self):
        return body("[tag:%s] [echo:%s] %s" % (self.tag, self.tag, MARKS[self.kind]))


class World:
    """The model, and the daemon it is compared with."""

    def __init__(self, scene, seed):
        self.scene, self.chance = scene, seeded(seed, "model")
        self.api = scene.fakeapi("ttfb=1", "--seed", str(seed))
        self.daemon = scene.daemon(self.api, *SETTINGS)
        self.client = self.daemon.client()
        self.jobs, self.gone, self.sent = {}, set(), set()  # sent: tags that the API has seen
        self.held, self.count, self.steps, self.restarts = False, 0, {}, {}
        self.began = time.monotonic()

    # --- what the model knows ---------------------------------------------------------

    def send_all(self):
        """Everything that waits for its turn has it, unless the gate is held."""
        for id in sorted(self.jobs):
            job = self.jobs[id]
            if job.state == "queued" and not self.held:
                job.state = KINDS[job.kind][job.tag in self.sent]
                self.sent.add(job.tag)

    def add(self, id, job):
        check(id not in self.jobs and id not in self.gone, "the id %d was given out twice" % id)
        check(id > max([0, *self.jobs, *self.gone]), "the id %d is lower than one before it" % id)
        self.jobs[id] = job

    def ids(self, *states):
        return sorted(id for id, job in self.jobs.items() if not states or job.state in states)

    def some(self, ids, most=4):
        return self.chance.sample(ids, min(len(ids), self.chance.randint(1, most)))

    # --- verbs --------------------------------------------------------------------------

    def new_job(self):
        self.count += 1
        kind = self.chance.choice(("quick", "quick", "quick", "slow", "slow", "bad"))
        job = Job(kind, "m%d" % self.count, self.chance.choice(LABELS), "queued", "key-%d" % self.count)
        options = {"class": self.chance.choice(("interactive", "normal", "patient")),
                   "priority": self.chance.randint(-2, 2), "key": job.key}
        if job.label:
            options["label"] = job.label
        if self.chance.random() < 0.15:
            job.state = "delayed"
            options["not_before"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + FAR))
        elif self.held and self.chance.random() < 0.15:
            options["deadline_ms"] = 20
            job.state = "expired"
        return job, options

    def submit(self):
        for job, options in [self.new_job() for _ in range(self.chance.randint(1, 5))]:
            reply, _ = self.client.request("submit", job.body(), **options)
            check("existing" not in reply, "a new key finds a job: %s" % reply)
            self.add(reply["id"], job)

    def submit_again(self):
        """A key finds its job, and no other body."""
        keyed = [id for id in self.ids() if self.jobs[id].key]
        if not keyed:
            return
        id = self.chance.choice(keyed)
        job = self.jobs[id]
        reply, _ = self.client.request("submit", job.body(), key=job.key)
        equal((id, job.state, True), (reply["id"], reply["state"], reply.get("existing")), "key %s" % job.key)
        with refused("key-conflict"):
            self.client.request("submit", body("another"), key=job.key)

    def cancel(self):
        ids = self.some(self.ids() or [1])
        reply, _ = self.client.request("cancel", ids=ids)
        for id, got in zip(ids, reply["jobs"]):
            if id in self.jobs:
                self.jobs[id].state = self.canceled(self.jobs[id])
                equal((id, self.jobs[id].state), (got["id"], got.get("state")), "cancel: %s" % got)
            else:
                equal("not-found", got.get("error"), "cancel: %s" % got)

    @staticmethod
    def canceled(job):
        return job.state if job.state in FINAL else "canceled"

    def cancel_by_label(self):
        label = self.chance.choice(LABELS[:2])
        ids = [id for id in self.ids() if self.jobs[id].label == label and self.jobs[id].state not in FINAL]
        reply, _ = self.client.request("cancel", label=label, all=True)
        equal(sorted((id, "canceled") for id in ids), sorted((got["id"], got.get("state")) for got in reply["jobs"]),
              "cancel of label " + label)
        for id in ids:
            self.jobs[id].state = "canceled"

    def retry(self):
        # Of two jobs with one body the model could not tell who is sent first.
        ids = [id for id in self.some(self.ids() or [1]) if id not in self.jobs or self.jobs[id].kind != "slow" or
               self.jobs[id].tag in self.sent]
        if not ids:
            return
        reply, _ = self.client.request("retry", ids=ids)
        fresh = []
        for id, got in zip(ids, reply["jobs"]):
            job = self.jobs.get(id)
            if job and job.state in FINAL:
                equal(id, got["id"], "retry: %s" % got)
                fresh.append((got["new_id"], Job(job.kind, job.tag, job.label, "queued")))
            else:
                equal("bad-request" if job else "not-found", got.get("error"), "retry of %s: %s" % (job and job.state, got))
        for id, job in sorted(fresh, key=lambda pair: pair[0]):
            self.add(id, job)

    def delete(self):
        ids = self.some(self.ids() or [1], 8)
        reply, _ = self.client.request("delete", ids=ids)
        for id, got in zip(ids, reply["jobs"]):
            job = self.jobs.get(id)
            if job and job.state in FINAL:
                equal((id, job.state), (got["id"], got.get("state")), "delete: %s" % got)
                self.forget(id)
            else:
                equal("bad-request" if job else "not-found", got.get("error"), "delete: %s" % got)

    def forget(self, id):
        del self.jobs[id]
        self.gone.add(id)

    def make_room(self):
        reply, _ = self.client.request("delete", state="succeeded", all=True)
        equal(self.ids("succeeded"), sorted(got["id"] for got in reply["jobs"]), "delete of all that succeeded")
        for id in self.ids("succeeded"):
            self.forget(id)

    def wait(self):
        ids = self.some(self.ids() or [1], 8)
        reply, _ = self.client.request("wait", ids=ids, timeout_ms=0)
        for id, got in zip(ids, reply["jobs"]):
            if id in self.jobs:
                equal((id, self.jobs[id].state), (got["id"], got.get("state")), "wait: %s" % got)
            else:
                equal("not-found", got.get("error"), "wait: %s" % got)
        equal(sum(id in self.jobs and self.jobs[id].state not in FINAL for id in ids), reply["pending"], "wait: pending")

    def list(self):
        state, label = self.chance.choice(STATES), self.chance.choice(LABELS)
        filter = {"state": state, **({"label": label} if label else {})}
        got = [row["id"] for row in all_rows(self.client, **filter)]
        want = [id for id in self.ids(state) if not label or self.jobs[id].label == label]
        equal(want[::-1], got, "list %s" % filter)

    def show(self):
        if not self.jobs:
            return
        id = self.chance.choice(self.ids())
        job = self.jobs[id]
        row, attempts = self.client.show(id)
        equal((job.state, job.label), (row["state"], row.get("label")), "show of job %d" % id)
        if job.state == "succeeded":
            equal("succeeded", attempts[-1]["outcome"], "the last attempt of job %d: %s" % (id, attempts))
            equal(job.tag, text_of(self.client.result(id)[1]), "the answer of job %d" % id)
        elif job.state in FINAL:
            equal(job.state, self.client.result(id)[0]["state"], "the result of job %d" % id)
        else:
            with refused("bad-request"):
                self.client.result(id)

    def hold(self):
        self.client.request("hold", reason="the model")
        self.held = True

    def release(self):
        self.client.request("release")
        self.held = False

    # --- restarts -------------------------------------------------------------------------

    def stop(self, hard):
        self.restarts["kill" if hard else "end"] = self.restarts.get("kill" if hard else "end", 0) + 1
        if hard:
            self.daemon.kill()
        else:
            self.daemon.stop()

    def start(self):
        """What was running is sent again; for what was just being sent, the API knows if it came."""
        self.api.until(in_flight=0)  # it has noticed, and counted
        self.sent = set(self.api.tags())
        for job in self.jobs.values():
            if job.state == "running":
                job.state = "queued"
        if self.chance.random() < 0.3:
            check_copy(self.daemon.state, os.path.join(self.scene.dir, "copy"))
        self.daemon = self.daemon.again(*SETTINGS)
        self.client = self.daemon.client()

    def restart(self):
        self.stop(self.chance.random() < 0.5)
        self.start()

    def restart_at_once(self):
        """Jobs are just being sent."""
        self.submit()
        if not self.held:
            for job in self.jobs.values():  # sent or not, an end may have been reached or not
                if job.state == "queued" and job.kind == "slow":
                    job.state = "running"
        self.stop(self.chance.random() < 0.7)
        self.start()

    def restart_in_a_verb(self):
        """Killed before the answer came: it has happened, or it has not."""
        verb = self.chance.choice((self.torn_submit, self.torn_cancel, self.torn_delete))
        verb()

    def torn(self, *arguments, **options):
        self.client.start(*arguments, **options)
        if self.chance.random() < 0.5:
            time.sleep(self.chance.random() * 0.004)
        self.stop(True)
        self.start()

    def torn_submit(self):
        made = [(job, options) for job, options in (self.new_job() for _ in range(4)) if job.state == "queued"]
        for job, options in made:
            self.client.start("submit", job.body(), **options)
        self.torn("whoami")
        rows = {row["id"] for row in all_rows(self.client)}
        there = sorted(rows - set(self.jobs))
        equal(set(), rows & self.gone, "jobs that had been deleted")
        for job, options in made:
            reply, _ = self.client.request("submit", job.body(), **options)
            equal(reply["id"] in there, reply.get("existing", False), "key %s: %s, there were %s" % (job.key, reply, there))
            there = [id for id in there if id != reply["id"]]
            self.jobs[reply["id"]] = job
        equal([], there, "jobs that nobody submitted")

    def torn_cancel(self):
        ids = self.ids("queued", "delayed", "running")
        if not ids:
            return
        ids = self.some(ids)
        self.torn("cancel", ids=ids)
        for row in all_rows(self.client):
            if row["id"] in ids and row["state"] == "canceled":
                self.jobs[row["id"]].state = "canceled"

    def torn_delete(self):
        ids = self.some(self.ids(*FINAL) or [1])
        self.torn("delete", ids=ids)
        there = {row["id"] for row in all_rows(self.client)}
        for id in ids:
            if id in self.jobs and id not in there:
                self.forget(id)

    # --- comparing --------------------------------------------------------------------------

    def settle(self):
        """Until everything has become what it must become, or cannot any more."""
        self.send_all()
        ended = self.ids(*FINAL)
        for at in range(0, len(ended), 1000):
            reply, _ = self.client.request("wait", ids=ended[at:at + 1000], timeout_ms=10000 * SLOWER)
            late = [got for got in reply["jobs"] if got.get("state") not in FINAL]
            check(not late, "these must have ended, the model says %s: %s" % (
                [self.jobs[got["id"]].state for got in late], late))
        for id in self.ids("running"):
            self.client.until_state(id, "running", *FINAL)

    def compare(self, doing):
        rows = {row["id"]: (row["state"], row.get("label")) for row in all_rows(self.client)}
        want = {id: (job.state, job.label) for id, job in self.jobs.items()}
        wrong = {id: (want.get(id), rows.get(id)) for id in set(want) | set(rows) if want.get(id) != rows.get(id)}
        check(not wrong, "after %s (held: %s) {id: (model, daemon)} is %s" % (doing, self.held, wrong))
        queue = self.client.request("status")[0]["queue"]
        counts = {state: len(self.ids(state)) for state in STATES}
        equal(counts, queue, "after %s: the counts of status" % doing)

    def step(self):
        verbs = ([self.submit] * 6 + [self.submit_again, self.cancel, self.cancel, self.cancel_by_label, self.retry,
                                      self.retry, self.delete, self.wait, self.list, self.show, self.show, self.hold,
                                      self.release, self.release, self.restart, self.restart_at_once,
                                      self.restart_in_a_verb, self.restart_in_a_verb])
        verb = self.chance.choice(verbs) if len(self.jobs) < MOST_JOBS else self.make_room_or_cancel
        self.steps[verb.__name__] = self.steps.get(verb.__name__, 0) + 1
        verb()
        self.settle()
        self.compare("step %d, %s" % (sum(self.steps.values()), verb.__name__))

    def make_room_or_cancel(self):
        self.release()
        self.settle()
        self.make_room()
        ids = self.ids(*FINAL)
        if ids:
            self.client.request("delete", ids=ids[:1000])
        for id in ids:
            self.forget(id)
        ids = self.ids()
        if len(ids) > MOST_JOBS / 2:
            self.client.request("cancel", ids=ids)
            for id in ids:
                self.jobs[id].state = "canceled"


def main():
    begun = time.monotonic()
    given = arguments(__doc__, seconds=120.0 if LONG else 10.0)
    with Scene() as scene:
        world = World(scene, given.seed)
        while time.monotonic() - begun < given.seconds:
            world.step()
        world.stop(False)
        check_database(os.path.join(world.daemon.state, "forebay.db"))
        finish("model", begun, "%d verbs, %d restarts (%d kill -9), %d jobs, states equal after each; seed %d" % (
            sum(world.steps.values()), sum(world.restarts.values()), world.restarts.get("kill", 0), world.count, given.seed))


if __name__ == "__main__":
    main()
