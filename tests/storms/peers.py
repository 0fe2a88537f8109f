"""What others do. Loops (worker loops, possibly with shared state) and limiters (central)."""
import random

from upstream import OK

OUTER = 5.0      # seconds an outer "try again for ever" loop sleeps between calls


class Loop:
    def __init__(self, clock, chain, n, seed):
        self.clock, self.chain, self.n = clock, chain, n
        self.rng = random.Random(seed * 11 + 1)

    @property
    def now(self):
        return self.clock.now


class Seed(Loop):
    """the field's rule: 3 attempts per model, wait = min(30, 5 * 2^attempt); then lost"""

    def loop(self, w, job):
        for model in self.chain:
            for k in range(3):
                r = yield "call", model
                if r.kind == OK:
                    return True
                yield "sleep", max(min(30.0, 5.0 * 2**k), r.retry_after)
        return False


class Sdk(Loop):
    """official SDK: 2 retries, 0.5 s * 2^k up to 8 s, less up to 25 % jitter; honours retry-after <= 60"""
    forever, outer = False, OUTER

    def call(self, model):
        for k in range(3):
            r = yield "call", model
            if r.kind == OK:
                return True
            if k < 2:
                back = min(0.5 * 2**k, 8.0) * (1 - 0.25 * self.rng.random())
                yield "sleep", r.retry_after if 0 < r.retry_after <= 60 else back
        return False

    def loop(self, w, job):
        while True:
            for model in self.chain:
                if (yield from self.call(model)):
                    return True
            if not self.forever:
                return False
            yield "sleep", self.outer


class SdkForever(Sdk):
    """SDK inside `while True: try … except: sleep(outer)`"""
    forever = True


class LiteLlm(Loop):
    """LiteLLM router: 2 retries with jittered back-off, then the next model; a model in which more
    than half of this minute's calls failed (or that said 429) rests 5 s (or retry-after)"""

    def __init__(self, *a):
        super().__init__(*a)
        self.stat = {m: [0, 0, 0] for m in self.chain}     # minute, ok, failed
        self.rest = {m: 0.0 for m in self.chain}

    def note(self, m, r):
        s, minute = self.stat[m], int(self.now // 60)
        if s[0] != minute:
            s[:] = [minute, 0, 0]
        s[1 if r.kind == OK else 2] += 1
        if r.kind == "429":
            self.rest[m] = self.now + max(5.0, r.retry_after)
        elif r.kind != OK and s[1] + s[2] > 1 and s[2] / (s[1] + s[2]) > 0.5:
            self.rest[m] = self.now + 5.0

    def loop(self, w, job):
        while True:
            for m in self.chain:
                for k in range(3):
                    if self.now < self.rest[m]:
                        break
                    r = yield "call", m
                    self.note(m, r)
                    if r.kind == OK:
                        return True
                    yield "sleep", min(0.5 * 2**k, 8.0) * (1 - 0.25 * self.rng.random())
            yield "sleep", OUTER                            # "no deployments available": caller's loop


class PauseAll(Loop):
    """the naive rule: any 529 stops everybody for base, 2 base, 4 base … cap; then
    all go on (spread: each a random while later)"""
    base, cap, spread = 2.0, 60.0, 0.0

    def __init__(self, *a):
        super().__init__(*a)
        self.until, self.k = {m: 0.0 for m in self.chain}, {m: 0 for m in self.chain}

    def loop(self, w, job):
        tries = 0
        while True:
            m = self.chain[min(tries // 3, len(self.chain) - 1)]
            if self.now < self.until[m]:
                yield "sleep", self.until[m] - self.now + self.spread * self.rng.random()
                continue
            sent = self.now
            r = yield "call", m
            if r.kind == OK:
                self.k[m] = 0
                return True
            tries += 1
            if sent >= self.until[m]:                       # first refusal of this round
                self.until[m] = self.now + max(min(self.cap, self.base * 2 ** min(self.k[m], 20)), r.retry_after)
                self.k[m] += 1


class Backoff(Loop):
    """every job for itself, for ever: full jitter up to min(cap, 0.5 s * 2^k)"""
    cap = 15.0

    def loop(self, w, job):
        k = 0
        while True:
            r = yield "call", self.chain[(k // 3) % len(self.chain)]
            if r.kind == OK:
                return True
            yield "sleep", max(r.retry_after, self.rng.random() * min(self.cap, 0.5 * 2 ** min(k, 20)))
            k += 1


class Breaker(Loop):
    """resilience4j-like: last 20 calls, 50 % failures -> open 10 s, 3 trial calls half-open; inside
    it the SDK's back-off between a job's attempts"""
    wait, ratio = 10.0, 0.5

    def __init__(self, *a):
        super().__init__(*a)
        self.s = {m: dict(win=[], open=0.0, trial=0, res=[]) for m in self.chain}

    def allow(self, s):
        if s["open"] == 0.0:
            return True
        if self.now < s["open"]:
            return False
        if s["trial"] < 3:
            s["trial"] += 1
            return True
        return False

    def note(self, s, ok):
        if s["open"]:
            if self.now < s["open"]:
                return
            s["res"].append(ok)
            if len(s["res"]) == 3:
                s["open"] = self.now + self.wait if sum(s["res"]) < 2 else 0.0
                s["win"], s["res"], s["trial"] = [], [], 0
            return
        s["win"] = s["win"][-19:] + [ok]
        if len(s["win"]) >= 10 and sum(s["win"]) <= len(s["win"]) * (1 - self.ratio):
            s.update(open=self.now + self.wait, trial=0, res=[])

    def loop(self, w, job):
        k = 0
        while True:
            for m in self.chain:
                s = self.s[m]
                if self.allow(s):
                    r = yield "call", m
                    self.note(s, r.kind == OK)
                    if r.kind == OK:
                        return True
                    k += 1
                    yield "sleep", max(r.retry_after, min(0.5 * 2 ** (k % 5), 8.0) * (1 - 0.25 * self.rng.random()))
                    break
            else:
                yield "sleep", 1.0 + 0.5 * self.rng.random()


class Throttle(Loop):
    """Google SRE adaptive throttling, K = 2, two-minute window, shared by all workers; a request
    dropped locally comes again after 5 s, one refused upstream after the SDK's back-off"""
    K, WINDOW = 2.0, 120.0

    def __init__(self, *a):
        super().__init__(*a)
        self.ev = {m: [[], []] for m in self.chain}         # requests, accepts (times)

    def trim(self, m):
        for lst in self.ev[m]:
            cut = self.now - self.WINDOW
            i = 0
            while i < len(lst) and lst[i] < cut:
                i += 1
            if i > 64 or i == len(lst):
                del lst[:i]

    def loop(self, w, job):
        k = 0
        while True:
            for m in self.chain:
                self.trim(m)
                req, acc = len(self.ev[m][0]), len(self.ev[m][1])
                self.ev[m][0].append(self.now)
                if self.rng.random() < max(0.0, (req - self.K * acc) / (req + 1.0)):
                    continue
                r = yield "call", m
                if r.kind == OK:
                    self.ev[m][1].append(self.now)
                    return True
                k += 1
                yield "sleep", max(r.retry_after, min(0.5 * 2 ** (k % 5), 8.0) * (1 - 0.25 * self.rng.random()))
                break
            else:
                yield "sleep", OUTER * (0.8 + 0.4 * self.rng.random())


class AwsAdaptive(Loop):
    """AWS SDK adaptive mode (botocore): shared cubic rate limiter + token bucket, 3 attempts with
    full-jitter back-off up to 20 s, retry quota 500 (5 a retry); then the caller's outer loop"""

    def __init__(self, *a):
        super().__init__(*a)
        self.s = {m: dict(on=False, wmax=0.0, k=0.0, fail=0.0, fill=0.5, cap=1.0, tok=0.0, stamp=0.0,
                          bucket=0.0, count=0, rate=0.0) for m in self.chain}
        self.quota = 500.0

    def take(self, s):
        if not s["on"]:
            return 0.0
        s["tok"] = min(s["cap"], s["tok"] + (self.now - s["stamp"]) * s["fill"])
        s["stamp"] = self.now
        s["tok"] -= 1.0
        return 0.0 if s["tok"] >= 0 else -s["tok"] / s["fill"]

    def note(self, s, bad):
        s["count"] += 1
        b = int(self.now * 2) / 2
        if b > s["bucket"]:
            s["rate"] = 0.8 * s["count"] / (b - s["bucket"]) + 0.2 * s["rate"]
            s["count"], s["bucket"] = 0, b
        if bad:
            use = min(s["rate"], s["fill"]) if s["on"] else s["rate"]
            s["wmax"], s["fail"], s["on"] = use, self.now, True
            s["k"] = (use * 0.3 / 0.4) ** (1 / 3)
            new = use * 0.7
        else:
            new = 0.4 * (self.now - s["fail"] - s["k"]) ** 3 + s["wmax"]
        s["tok"] = min(s["cap"], s["tok"] + (self.now - s["stamp"]) * s["fill"])
        s["stamp"] = self.now
        new = min(new, 2 * s["rate"])
        s["fill"], s["cap"] = max(new, 0.5), max(new, 1.0)
        s["tok"] = min(s["tok"], s["cap"])

    def loop(self, w, job):
        while True:
            for m in self.chain:
                s = self.s[m]
                for k in range(3):
                    wait = self.take(s)
                    if wait:
                        yield "sleep", wait
                    r = yield "call", m
                    self.note(s, r.kind in ("529", "429"))
                    if r.kind == OK:
                        self.quota = min(500.0, self.quota + (5 if k else 1))
                        return True
                    if k == 2 or self.quota < 5:
                        break
                    self.quota -= 5
                    yield "sleep", max(r.retry_after, self.rng.random() * min(2.0**k, 20.0))
            yield "sleep", OUTER


# ------------------------------------------------------------- central limiters

class Limiter:
    """base of the central policies: per-model state, three refusals move a job down its chain"""

    def __init__(self, clock, chain, n, seed):
        self.clock, self.chain, self.n = clock, chain, n
        self.rng = random.Random(seed * 11 + 1)
        self.s = {m: self.fresh() for m in chain}
        self.when = None

    def pick(self, job, now):
        self.when = None
        first = (job.rejects // 3) % len(self.chain)
        for m in self.chain[first:] + self.chain[:first]:
            t = self.ready(self.s[m], now)
            if t is not None and t <= now:
                return m
            if t is not None:
                self.when = t if self.when is None else min(self.when, t)
        return None

    def wake(self, now):
        return self.when

    def sent(self, model, job, now):
        self.s[model]["fly"] += 1
        return now

    def acked(self, *a):
        pass

    def ended(self, model, job, tag, now, r):
        s = self.s[model]
        s["fly"] -= 1
        if r.kind != OK:
            job.rejects += 1
            if r.kind == "429":
                s["hold"] = max(s["hold"], now + r.retry_after)
        (self.good if r.kind == OK else self.bad)(s, now, tag, r)


class Aimd(Limiter):
    """TCP-like AIMD concurrency + single-probe half-open: slow start, then +1 per window, halved at
    most once a second; at one request and refused: shut, one probe after 1, 2, 4 … 30 s"""
    beta, gap, longest = 0.5, 1.0, 30.0

    def fresh(self):
        return dict(fly=0, W=10.0, thresh=1e9, cut=-9.0, shut=0.0, back=1.0, hold=0.0)

    def ready(self, s, now):
        if now < max(s["hold"], s["shut"]):
            return max(s["hold"], s["shut"])
        return now if s["fly"] < int(s["W"]) else None

    def good(self, s, now, tag, r):
        s["W"], s["back"] = min(self.n, s["W"] + (1.0 if s["W"] < s["thresh"] else 1.0 / s["W"])), 1.0

    def bad(self, s, now, tag, r):
        if r.kind == "429":
            return
        if s["W"] < 2.0:
            s["W"], s["shut"] = 1.0, now + s["back"] * (0.8 + 0.4 * self.rng.random())
            s["back"] = min(self.longest, 2 * s["back"])
        elif now - s["cut"] >= self.gap:
            s["W"], s["cut"] = max(1.0, s["W"] * self.beta), now
            s["thresh"] = s["W"]


class Netflix(Aimd):
    """Netflix AIMDLimit as it ships: +1 for every success while half used, *0.9 for every drop;
    with the same half-open pause at limit 1"""

    def fresh(self):
        return dict(super().fresh(), W=10.0)

    def good(self, s, now, tag, r):
        s["back"] = 1.0
        if (s["fly"] + 1) * 2 >= s["W"]:
            s["W"] = min(self.n, s["W"] + 1.0)

    def bad(self, s, now, tag, r):
        if r.kind == "429":
            return
        if s["W"] < 2.0:
            super().bad(s, now, tag, r)
        else:
            s["W"] = max(1.0, min(s["W"] - 1, int(s["W"] * 0.9)))


class Postfix(Limiter):
    """Postfix qmgr: window 5, +-1/window feedback; a whole pseudo-cohort of failures: dead for 300 s"""

    def fresh(self):
        return dict(fly=0, W=5.0, cohorts=0.0, dead=0.0, hold=0.0)

    ready = lambda self, s, now: max(s["hold"], s["dead"]) if now < max(s["hold"], s["dead"]) else (
        now if s["fly"] < int(s["W"]) else None)

    def good(self, s, now, tag, r):
        s["cohorts"] = 0.0
        s["W"] = min(self.n, s["W"] + 1.0 / s["W"])

    def bad(self, s, now, tag, r):
        if r.kind == "429":
            return
        s["cohorts"] += 1.0 / s["W"]
        s["W"] = max(1.0, s["W"] - 1.0 / s["W"])
        if s["cohorts"] >= 1.0:
            s["dead"], s["W"], s["cohorts"] = now + 300.0, 5.0, 0.0


class Oracle(Limiter):
    """knows at every moment whether the upstream would take a request; never refused by a
    limit; against purely random refusals it simply tries again at once"""
    models = None

    def fresh(self):
        return dict(fly=0, hold=0.0)

    def pick(self, job, now):
        for m in self.chain:
            if self.models[m].open_now(now):
                return m
        self.when = now + 0.1
        return None

    def good(self, *a):
        pass

    bad = good


def variant(cls, **kw):
    return type(cls.__name__ + "Variant", (cls,), kw)


# the best of each family on this simulator's own scenarios
TUNED = {
    "pause (goodput)": variant(PauseAll, base=0.25, cap=5.0),
    "pause (score)": variant(PauseAll, base=0.25, cap=2.0, spread=2.0),
    "backoff (tuned)": variant(Backoff, cap=15.0),
    "breaker (tuned)": variant(Breaker, wait=1.0, ratio=0.8),
    "sre (tuned)": variant(Throttle, K=8.0, WINDOW=30.0),
}
