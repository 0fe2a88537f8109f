"""The recommended controller: one Gate per model. Reference of daemon/gate/gate.c.

Pure functions of (gate, config, now, random in [0,1)); no clock, no I/O, no threads.

  U        admission window: requests sent but neither refused nor begun (TCP's cwnd; the "ack"
           is the response header of a streamed answer)
  L        level: requests in flight altogether that the model is believed to carry
  rho      limit or chance?  P(refused | tried again, nothing of ours ended meanwhile)
           - P(refused | in place of one of ours that ended).  1: a limit, fewer helps; 0: chance
  dark     a run of refusals far longer than usual: one request at a time, with a pause of
           kappa * sqrt(age of the run / slots)
  growth   when in flight == L: now and then one more than L, every kappa_g * sqrt(age of L / slots)
  knocks   budget of refusals: at most slots / knock a second
  bucket   mirror of the server's rate limit, from the anthropic-ratelimit-* headers
"""
import math
from dataclasses import dataclass


@dataclass
class Cfg:
    slots: int = 64          # worker transfers available: upper bound of L
    u_start: float = 2.0     # U of a cold gate
    u_share: float = 0.5     # U <= max(4, u_share * slots)
    u_add: float = 2.0       # U += u_add for each acceptance
    u_mem: float = 10.0      # after a dark run: U = U before / (1 + age / u_mem)
    gain: float = 0.2        # of the two averages behind rho
    dead: float = 0.2        # differences below this are taken for chance
    lift: float = 1.0        # L += lift * (1 - rho) for each acceptance
    run_min: float = 8.0     # dark: a run of refusals longer than run_min and
    run_mul: float = 14.0    # than run_mul * (usual run + 1)
    run_gain: float = 0.1    # of the average "usual run"
    kappa: float = 2.0
    pause_max: float = 8.0
    kappa_g: float = 3.5
    grow_min: float = 0.5
    grow_max: float = 30.0
    knock: float = 1.0
    quiet: float = 1.0       # no answer within max(quiet, 4 * usual time of a refusal): off the window
    stall: float = 5.0       # no first byte within max(stall, 4 * usual time of one): counted as refused
    jitter: float = 0.2


@dataclass
class Gate:
    U: float = 2.0
    L: float = 64.0
    fly: int = 0             # in flight
    una: int = 0             # of these: sent, no answer yet, neither quiet nor stalled
    quiet: int = 0           # no answer yet, though a refusal would have come by now
    freed: int = 0           # of ours ended, place not tried again yet
    pa: float = 0.0          # P(refused | in place of one that ended)
    pb: float = 0.8          # P(refused | tried again, nothing ended)
    usual: float = 0.0       # refusals per acceptance, on average
    run: int = 0             # refusals since the last acceptance
    run_t: float = 0.0       # when this run began, and
    run_U: float = 2.0       # U and L then
    run_L: float = 64.0
    next_at: float = 0.0     # pause: nothing is sent before
    hold_at: float = 0.0     # retry-after: nothing is sent before
    grow_at: float = 0.0     # growth: not before
    grow_n: int = 1          # size of the next growth step
    grow_fly: int = 0        # growth requests not answered yet
    limit_t: float = 0.0     # when L last moved
    ttfb: float = 2.0        # usual time to the first byte
    ttr: float = 0.25        # usual time to a refusal
    ack_t: float = 0.0       # last first byte
    nref: int = 0            # all refusals
    knocks: float = 16.0     # refusals left in the budget
    knock_t: float = 0.0
    rate: float = 0.0        # mirrored bucket: tokens a second (0: unknown, no pacing)
    burst: float = 1.0
    tokens: float = 0.0
    tok_t: float = 0.0


@dataclass
class Tag:                   # made for every attempt, handed back with its answer
    t: float                 # when it was sent
    fly: int                 # in flight then, itself included
    una: int                 # of these, other unanswered ones
    nref: int                # refusals counted so far
    growth: bool
    kind: str                # a or b as in pa, pb; - neither
    quiet: bool = False      # see on_quiet, on_stall
    early: bool = False
    stalled: bool = False
    open: bool = True        # (the caller's: not answered yet)


def init(c):
    return Gate(U=c.u_start, L=float(c.slots), knocks=max(4.0, c.slots / 4.0))


def rho(g, c):
    return max(0.0, (g.pb - g.pa - c.dead) / (1.0 - c.dead))


def dark(g, c):
    return g.run > max(c.run_min, c.run_mul * (g.usual + 1.0))


def PAUSE(g, c, age):
    """between two knocks at a dark gate. sqrt(age): the optimal inspection schedule when the chance
    that the outage ends falls like 1 / age; / slots: waiting costs in proportion to who waits"""
    return min(c.pause_max, c.kappa * math.sqrt(age / max(16, c.slots)))


STEP = 2                     # growth steps double


def _knocks(g, c, now):
    return min(max(4.0, c.slots / 4.0), g.knocks + (now - g.knock_t) * c.slots / c.knock)


def _tokens(g, now):
    return min(g.burst, g.tokens + (now - g.tok_t) * g.rate)


def may_send(g, c, now):
    """(True, _) or (False, when to ask again; None: after the next event)"""
    t = max(g.hold_at, g.next_at)
    if now < t:
        return False, t
    if g.una >= (1 if dark(g, c) else int(g.U)) or (dark(g, c) and g.quiet >= 3):
        return False, None
    if _knocks(g, c, now) < 1.0:
        return False, now + (1.0 - _knocks(g, c, now)) * c.knock / c.slots
    if g.rate > 0 and _tokens(g, now) < 1.0:
        return False, now + (1.0 - _tokens(g, now)) / g.rate
    if g.fly >= int(g.L):
        if g.fly >= c.slots or g.grow_fly >= g.grow_n:
            return False, None
        if now < g.grow_at:
            return False, g.grow_at
    return True, None


def on_send(g, c, now):
    growth = g.fly >= int(g.L)
    kind = "a" if g.freed else "b" if g.run or growth else "-"
    tag = Tag(now, g.fly + 1, g.una, g.nref, growth, kind)
    g.freed = max(0, g.freed - 1)
    g.fly += 1
    g.una += 1
    g.grow_fly += growth
    if g.rate > 0:
        g.tokens, g.tok_t = _tokens(g, now) - 1.0, now
    return tag


def _off(g, tag):
    """it has been answered, or is given up on: off the window"""
    if tag.quiet:
        g.quiet -= 1
    elif not tag.stalled:
        g.una -= 1
    if tag.growth:
        g.grow_fly -= 1


def _answered(g, c, tag, refused):
    _off(g, tag)
    if not dark(g, c):                           # a dark run teaches nothing about limits
        if tag.kind == "a":
            g.pa += c.gain * (refused - g.pa)
        elif tag.kind == "b":
            g.pb += c.gain * (refused - g.pb)
    # the level it stood for: itself and what was really carried when it was sent
    return tag.fly - min(tag.una, g.nref - tag.nref)


def _accepted(g, c, now, tag, level):
    if dark(g, c):                               # the weather has changed: start small, suspect a limit
        g.U = min(g.U, g.run_U / (1.0 + (now - g.run_t) / c.u_mem))
        g.pa, g.pb = 0.0, max(g.pb, 0.8)
    if not tag.growth:
        g.usual += c.run_gain * (g.run - g.usual)
    g.run, g.next_at = 0, 0.0
    g.U = max(2.0, min(g.U + c.u_add, max(4.0, c.u_share * c.slots)))
    g.L = min(float(c.slots), g.L + c.lift * (1.0 - rho(g, c)))
    if level > int(g.L):                         # growth succeeded: go on at once, twice as far
        g.L = min(float(c.slots), float(level))
        g.grow_at = g.limit_t = now
        g.grow_n = min(STEP * g.grow_n, max(1, c.slots // 4))


def on_accept(g, c, now, tag):
    """headers arrived: the model has begun to work on it"""
    g.fly += tag.stalled                         # it lives after all
    g.ttfb += 0.1 * (now - tag.t - g.ttfb)
    g.ack_t = now
    if tag.early:                                # known since on_quiet
        g.quiet -= tag.quiet
    else:
        _accepted(g, c, now, tag, _answered(g, c, tag, 0.0))


def on_quiet(g, c, now, tag):
    """No answer within quiet_after, where a refusal would have come: most likely let in. It no longer
    holds others back; as long as headers do keep coming (the model does not hang), it counts."""
    if not dark(g, c) and now - g.ack_t < 2.0 * g.ttfb:
        _accepted(g, c, now, tag, _answered(g, c, tag, 0.0))
        tag.early, tag.growth = True, False
    else:
        g.una -= 1
    g.quiet += 1
    tag.quiet = True


def on_refuse(g, c, now, tag, rnd, capacity=True):
    """529 (capacity); 5xx, connection error, timeout or stall (not capacity)"""
    level = _answered(g, c, tag, 1.0)
    jit = 1.0 + c.jitter * (2.0 * rnd - 1.0)
    g.nref += 1
    if capacity:
        g.ttr += 0.1 * (now - tag.t - g.ttr)
    g.knocks, g.knock_t = _knocks(g, c, now) - 1.0, now
    if tag.growth:                               # the limit is where it was: no news
        g.grow_n = 1
        T = c.kappa_g * math.sqrt((now - g.limit_t) / max(16, c.slots))
        g.grow_at = now + max(c.grow_min, min(c.grow_max, T)) * jit
        return
    if g.run == 0:
        g.run_t, g.run_U, g.run_L = now, g.U, g.L
    g.run += 1
    if dark(g, c):
        g.L = max(g.L, g.run_L)                  # it was the weather, not a limit
        g.next_at = now + PAUSE(g, c, now - g.run_t) * jit
    elif capacity:
        new = max(1.0, g.L - rho(g, c) * max(0.0, g.L - (level - 1)))
        if int(new) < int(g.L):
            g.grow_n, g.limit_t = 1, now
            g.grow_at = max(g.grow_at, now + c.grow_min * jit)
        g.L = new


def on_limit(g, c, now, tag, retry_after, rnd):
    """429 with retry-after: says nothing about capacity, only about our own rate"""
    _off(g, tag)
    g.hold_at = max(g.hold_at, now + retry_after + 0.25 * rnd)
    g.U = min(g.U, c.u_start)
    g.tokens, g.tok_t = 0.0, now


def quiet_after(g, c):
    return max(c.quiet, 4.0 * g.ttr)


def stall_after(g, c):
    return max(c.stall, 4.0 * g.ttfb)


def on_stall(g, c, now, tag, rnd):
    """no first byte within stall_after: the job goes on waiting, the gate does not"""
    on_refuse(g, c, now, tag, rnd, capacity=False)
    tag.stalled, tag.quiet, tag.growth, tag.kind = True, False, False, "-"
    g.fly -= 1


def on_end(g, tag, carried):
    """a transfer is over; carried: it had been accepted. Call after the on_* of its answer."""
    g.fly -= carried or not tag.stalled
    if carried:
        g.freed = min(g.freed + 1, 16)


def on_headers(g, c, now, limit_per_min, remaining):
    """anthropic-ratelimit-requests-limit / -remaining (tokens: two more buckets like this one)"""
    if not limit_per_min:
        return
    if g.rate == 0:
        g.tokens, g.tok_t = 1.0, now
    g.rate, g.burst = limit_per_min / 60.0, max(1.0, limit_per_min / 60.0)
    if remaining is not None:                    # None: header of an answer that was not streamed, old
        g.tokens, g.tok_t = min(_tokens(g, now), remaining + 1.0), now    # remaining is rounded down


def wait(g, c, now):
    """expected wait before this gate would take a request (for the fallback decision):
    a dark gate: as long again as it has been dark (Lindy); otherwise what retry-after says"""
    return max(g.hold_at - now, now - g.run_t if dark(g, c) else 0.0, 0.0)


def restart(g, c, now):
    """after a restart with saved state (times as wall clock): nothing is in flight, start small"""
    g.fly = g.una = g.quiet = g.grow_fly = g.freed = 0
    g.U = min(g.U, c.u_start)
    g.run_U = min(g.run_U, c.u_start)
