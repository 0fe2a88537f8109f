"""The fake API's dice: with them the simulator plays the very jobs that a real client was given.

In a fake API started with --seed S, how long job TAG takes and whether its n-th attempt is refused
depend on (S, TAG, n) alone; see tests/fakeapi/climate.c and exchange_dice(). Api and Source stand in
for those of upstream.py; job number k is the one with the tag str(k).
"""
import math

import upstream
from upstream import GEN_S, GEN_SIGMA, TTFB_S, TTFB_SIGMA

MASK = (1 << 64) - 1


def bytes_hash(data):
    """as in tests/fakeapi/request.c"""
    h = 0x9E3779B97F4A7C15 ^ len(data)
    while len(data) >= 8:
        h = (h ^ int.from_bytes(data[:8], "little")) * 0xFF51AFD7ED558CCD & MASK
        h, data = h ^ h >> 32, data[8:]
    h = (h ^ int.from_bytes(data, "little")) * 0xC4CEB9FE1A85EC53 & MASK
    return h ^ h >> 29


class Dice:
    """What upstream.py asks of random.Random."""

    def __init__(self, seed, tag, attempt):
        key = bytes_hash(str(tag).encode())
        self.state = bytes_hash(b"".join((x & MASK).to_bytes(8, "little") for x in (seed, key, attempt)))

    def random(self):
        self.state = self.state + 0x9E3779B97F4A7C15 & MASK
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        return ((z ^ z >> 31) >> 11) * 2.0 ** -53

    def lognormvariate(self, mu, sigma):
        u, v = 1.0 - self.random(), self.random()
        return math.exp(mu + sigma * math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v))


def spans(seed, tag):
    """until its first byte, and from there to its end, of a whole answer"""
    dice = Dice(seed, tag, 0)
    return (dice.lognormvariate(math.log(TTFB_S), TTFB_SIGMA),
            dice.lognormvariate(math.log(GEN_S), GEN_SIGMA))


class Source(upstream.Source):
    def take(self):
        fresh = self.n
        job = super().take()
        if self.n > fresh:
            job.ttfb, job.gen = spans(self.seed, job.id)
        return job


class Api(upstream.Api):
    def __init__(self, clock, models, seed, metrics):
        super().__init__(clock, models, seed, metrics)
        self.seed, self.attempts = seed, {}

    def call(self, name, job, on_result, on_ack=None):
        self.attempts[job.id] = attempt = self.attempts.get(job.id, 0) + 1
        self.rng = Dice(self.seed, job.id, attempt)
        super().call(name, job, on_result, on_ack)
