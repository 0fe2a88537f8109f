"""Two ways to be a client: N worker loops (what people write today), or one
daemon that hands jobs to N transfers as its policy allows."""
import random

import gate as G
from upstream import OK


# ---------------------------------------------------------------- worker loops

class Loops:
    """N workers; each runs policy.loop(worker_state, job) — a generator that yields
    ('call', model) and gets a Result, or ('sleep', s); returns True, or False: job lost."""

    def __init__(self, clock, api, src, policy, n, metrics):
        self.clock, self.api, self.src, self.policy, self.m = clock, api, src, policy, metrics
        self.idle = []
        src.waiters.append(self._wake)
        for i in range(n):
            clock.at(0.01 * i, self._next, i)

    def _wake(self):
        if self.idle:
            self._next(self.idle.pop())

    def _next(self, w):
        job = self.src.take()
        if job is None:
            self.idle.append(w)
            return
        job.client = w % self.src.CLIENTS              # every worker works for its own client
        self._step(w, job, self.policy.loop(w, job), None)

    def _step(self, w, job, gen, value):
        try:
            op, arg = gen.send(value)
        except StopIteration as e:
            if not e.value:
                self.m.failed += 1
            self._next(w)
            return
        if op == "sleep":
            self.clock.at(self.clock.now + arg, self._step, w, job, gen, None)
        else:
            self.api.call(arg, job, lambda r: self._step(w, job, gen, r))


# -------------------------------------------------------------------- a daemon

class Daemon:
    """policy: pick(job, now) -> model | None, wake(now) -> time | None,
    sent/acked/ended(model, job, tag, ...) — see Limiter and Gates below."""
    retry_min, retry_max = 0.0, 5.0        # a refused job is not sent again for so long, doubling; 0: at once

    def __init__(self, clock, api, src, policy, n):
        self.clock, self.api, self.src, self.policy, self.n = clock, api, src, policy, n
        self.fly, self.alarm, self.busy = 0, None, False
        src.waiters.append(self.pump)
        policy.daemon = self
        clock.at(0.0, self.pump)

    def pump(self):
        if self.busy:
            return
        self.busy = True
        now = self.clock.now
        while self.fly < self.n:
            job = self.src.take()
            if job is None:
                break
            model = self.policy.pick(job, now)
            if model is None:
                self.src.give_back(job)
                break
            self.fly += 1
            tag = self.policy.sent(model, job, now)
            self.api.call(model, job, lambda r, a=(model, job, tag): self._end(r, *a),
                          lambda h, a=(model, job, tag): self._ack(h, *a))
        self.busy = False
        t = self.policy.wake(now)
        if t is not None and (self.alarm is None or t < self.alarm):
            self.alarm = t = max(t, now + 1e-3)
            self.clock.at(t, self._ring, t)

    def _ring(self, t):
        if self.alarm == t:
            self.alarm = None
            self.pump()

    def _ack(self, headers, model, job, tag):
        self.policy.acked(model, job, tag, self.clock.now, headers)
        self.pump()

    def _end(self, r, model, job, tag):
        self.fly -= 1
        self.policy.ended(model, job, tag, self.clock.now, r)
        if r.kind != OK:
            self._again(job)
        self.pump()

    def _again(self, job):
        if not self.retry_min or not isinstance(self.policy, Gates):
            self.src.give_back(job)
            return
        wait = min(self.retry_max, self.retry_min * 2 ** min(job.rejects - 1, 10))
        self.clock.at(self.clock.now + wait * (0.8 + 0.4 * self.policy.rng.random()), self._eligible, job)

    def _eligible(self, job):
        self.src.give_back(job)
        self.pump()


# ------------------------------------------------- the recommended policy: gates

class Gates:
    """One gate per model, and for every job the choice between waiting and falling back."""

    def __init__(self, clock, chain, n, seed, cfg=None, ack=True, patience=None):
        self.clock, self.chain, self.ack = clock, chain, ack
        self.c = cfg or G.Cfg()
        self.c.slots = n
        self.g = {m: G.init(self.c) for m in chain}
        self.rng = random.Random(seed * 13 + 5)
        self.patience = patience or {"inter": 2.0, "batch": 10.0}
        self.when = None

    def pick(self, job, now):
        """The first model of the chain whose gate is open. A later model is looked at only if the
        earlier one keeps the job waiting longer than its patience: already, or by expectation."""
        self.when, patience = None, self.patience[job.cls]
        for i, m in enumerate(self.chain):
            ok, when = G.may_send(self.g[m], self.c, now)
            if ok:
                job.head = None
                return m
            if job.head is None:
                job.head = now                        # head of the queue and not let in since
            if max(now - job.head, G.wait(self.g[m], self.c, now)) < patience and i + 1 < len(self.chain):
                left = patience - max(now - job.head, G.wait(self.g[m], self.c, now))
                when = min(when or now + left, now + left)
                self.when = min(self.when or when, when)
                return None
            if when is not None:
                self.when = min(self.when or when, when)
        return None

    def wake(self, now):
        return self.when

    def sent(self, model, job, now):
        g, c = self.g[model], self.c
        tag = G.on_send(g, c, now)
        quiet, stall = G.quiet_after(g, c), G.stall_after(g, c)
        if quiet < stall:
            self.clock.at(now + quiet, self._quiet, model, tag)
        self.clock.at(now + stall, self._stall, model, tag)
        return tag

    def _quiet(self, model, tag):
        if tag.open:
            G.on_quiet(self.g[model], self.c, self.clock.now, tag)
            self.daemon.pump()

    def _stall(self, model, tag):
        if tag.open and not tag.stalled:
            G.on_stall(self.g[model], self.c, self.clock.now, tag, self.rng.random())
            self.daemon.fly -= 1                       # its worker slot is lent to somebody else
            self.daemon.pump()

    def acked(self, model, job, tag, now, headers):
        if self.ack:
            self._begun(model, tag, now, headers)

    def _begun(self, model, tag, now, headers):
        tag.open = False
        self.daemon.fly += tag.stalled
        G.on_accept(self.g[model], self.c, now, tag)
        if headers:
            G.on_headers(self.g[model], self.c, now, headers[0], headers[1] if self.ack else None)

    def ended(self, model, job, tag, now, r):
        g, c, fine = self.g[model], self.c, r.kind == OK
        if tag.open:
            if fine:                                   # not streamed: the first byte is the last
                self._begun(model, tag, now, r.headers)
            elif r.kind == "429":
                G.on_limit(g, c, now, tag, r.retry_after, self.rng.random())
            else:
                G.on_refuse(g, c, now, tag, self.rng.random(), capacity=r.kind == "529")
            tag.open = False
        self.daemon.fly += tag.stalled and not fine
        G.on_end(g, tag, fine)
        if not fine:
            job.rejects += 1
