#!/usr/bin/env python3
"""Deterministic checks of gate.py, and the golden trace for the C gate.

  python3 golden.py            run the checks, compare tests/unit/golden-gate.txt
  python3 golden.py --write    write it again

One event a line, then the state the gate must have after it. tests/unit/test_gate.c reads the
same file, replays the events and must agree to 1e-6.
"""
import os
import random
import sys

import gate as G

HERE = os.path.dirname(os.path.abspath(__file__))
FIELDS = ["U", "L", "fly", "una", "quiet", "freed", "pa", "pb", "usual", "run", "next_at", "hold_at", "grow_at",
          "grow_n", "grow_fly", "knocks", "ttfb", "ttr", "tokens"]


def full(n=64):
    """a warm gate: n transfers begun, nothing refused yet"""
    c = G.Cfg(slots=n)
    g, tags = G.init(c), []
    while g.fly < n:
        assert G.may_send(g, c, 0.0)[0]
        tags.append(G.on_send(g, c, 0.0))
        G.on_accept(g, c, 0.9, tags[-1])
    return c, g, tags


def check_calm():
    c, g, tags = full()
    assert g.L == 64 and g.U == 32 and g.run == 0 and not G.dark(g, c)
    assert G.may_send(g, c, 1.0) == (False, None)           # every slot in use


def check_one_refusal_stops_nobody():
    c, g, tags = full()
    G.on_end(g, tags[0], True)
    t = G.on_send(g, c, 10.0)
    G.on_refuse(g, c, 10.2, t, 0.5)
    G.on_end(g, t, False)
    assert not G.dark(g, c) and int(g.L) == 63               # one slot looks again, half a second later
    assert G.may_send(g, c, 10.2)[1] < 10.9


def check_outage():
    c, g, tags = full()
    now, sent = 10.0, 0
    for t in tags:
        G.on_end(g, t, True)
    while now < 70.0:                                        # everything is refused for a minute
        ok, when = G.may_send(g, c, now)
        if not ok:
            now = max(when, now + 1e-9)
            continue
        t = G.on_send(g, c, now)
        now += 0.25
        G.on_refuse(g, c, now, t, 0.5)
        G.on_end(g, t, False)
        sent += 1
    assert G.dark(g, c) and sent < 75, sent
    assert g.next_at - 70.0 <= 2.0 * (70.0 / 64) ** 0.5 + 0.3
    assert g.L == 64                                         # weather, not a limit
    t = G.on_send(g, c, 72.0)
    assert not G.may_send(g, c, 72.0)[0]                     # one at a time
    G.on_accept(g, c, 73.0, t)
    assert not G.dark(g, c) and 4.0 <= g.U <= 8.0 and G.may_send(g, c, 73.0)[0]


def check_limit():
    c, g, tags = full()                                      # 64 begun, but only 40 are carried from now on
    now, refused = 10.0, 0
    for step in range(120):
        now += 0.5
        G.on_end(g, tags.pop(), True)                        # one of ours ends
        while G.may_send(g, c, now)[0]:
            t = G.on_send(g, c, now)
            if len(tags) < 40:
                tags.append(t)
                G.on_accept(g, c, now, t)
            else:
                G.on_refuse(g, c, now, t, 0.5)
                G.on_end(g, t, False)
                refused += step >= 80
    assert int(g.L) == 40 and G.rho(g, c) > 0.9 and refused <= 8, (g.L, refused)


def check_retry_after():
    c, g, tags = full(4)
    G.on_end(g, tags[0], True)
    t = G.on_send(g, c, 5.0)
    G.on_limit(g, c, 5.2, t, 7.0, 0.0)
    G.on_end(g, t, False)
    assert G.may_send(g, c, 5.3) == (False, 12.2) and g.L == 4 and g.run == 0


def check_bucket():
    c, g, tags = full(4)
    G.on_headers(g, c, 1.0, 60, 0)
    G.on_end(g, tags[0], True)
    assert G.may_send(g, c, 1.0)[0]                          # remaining 0 may be 0.99
    G.on_send(g, c, 1.0)
    G.on_end(g, tags[1], True)
    ok, when = G.may_send(g, c, 1.0)
    assert not ok and abs(when - 2.0) < 1e-6                 # one a second


def check_stall():
    c, g, tags = full(4)
    G.on_end(g, tags[0], True)
    t = G.on_send(g, c, 5.0)
    fly = g.fly
    G.on_stall(g, c, 5.0 + G.stall_after(g, c), t, 0.5)
    assert g.fly == fly - 1 and g.una == 0
    G.on_accept(g, c, 30.0, t)                               # it lives after all
    assert g.fly == fly and g.una == 0 and g.run == 0


def check_restart():
    c, g, tags = full()
    for i in range(24):
        t = G.Tag(10.0, 1, 0, g.nref, False, "-", stalled=True)
        G.on_refuse(g, c, 10.0 + i / 2, t, 0.5)
    g.fly = 60
    G.restart(g, c, 25.0)
    assert g.fly == 0 and G.dark(g, c) and g.U <= 2 and g.next_at > 21.0


def trace(seed):
    """random but plausible life of a gate of 8 slots"""
    r, c = random.Random(seed), G.Cfg(slots=8)
    g, now, live, out = G.init(c), 0.0, [], []
    ids = 0

    def emit(ev, *a):
        vals = " ".join(f"{k}={float(getattr(g, k)):.9g}" for k in FIELDS)
        out.append(f"{now:.6f} {ev} {' '.join(str(x) for x in a)} -> {vals}")

    for _ in range(400):
        now = round(now + r.expovariate(4.0), 6)
        bad = 0.9 if 20 < now < 45 else 1.0 if 60 < now < 80 else 0.05
        ok, when = G.may_send(g, c, now)
        emit("may_send", int(ok), "-" if when is None else f"{when:.9g}")
        if ok:
            ids += 1
            live.append([ids, G.on_send(g, c, now), False])
            emit("send", ids)
        if live:
            i = r.randrange(len(live))
            n, tag, begun = live[i]
            rnd = round(r.random(), 6)
            if begun:
                if r.random() < 0.4:
                    G.on_end(g, tag, True)
                    live.pop(i)
                    emit("end", n, 1)
            elif r.random() < bad:
                kind = r.choice(["refuse", "refuse", "refuse", "error", "limit"])
                if kind == "limit":
                    G.on_limit(g, c, now, tag, 2.0, rnd)
                    emit("limit", n, 2.0, rnd)
                else:
                    G.on_refuse(g, c, now, tag, rnd, kind == "refuse")
                    emit(kind, n, rnd)
                G.on_end(g, tag, False)
                live.pop(i)
                emit("end", n, 0)
            elif not tag.stalled and not tag.quiet and r.random() < 0.3:
                G.on_quiet(g, c, now, tag)
                emit("quiet", n)
            elif not tag.stalled and r.random() < 0.1:
                G.on_stall(g, c, now, tag, rnd)
                emit("stall", n, rnd)
            else:
                G.on_accept(g, c, now, tag)
                live[i][2] = True
                emit("accept", n)
                if r.random() < 0.2:
                    G.on_headers(g, c, now, 600, 3)
                    emit("headers", 600, 3)
    return out


def main():
    checks = [v for k, v in sorted(globals().items()) if k.startswith("check_")]
    for f in checks:
        f()
    text = "\n".join(trace(1) + trace(2)) + "\n"
    path = os.path.join(HERE, "..", "unit", "golden-gate.txt")
    if "--write" in sys.argv:
        open(path, "w").write(text)
    assert open(path).read() == text, "golden-gate.txt differs"
    print(f"{len(checks)} checks, {text.count(chr(10))} golden lines: fine")


main()
