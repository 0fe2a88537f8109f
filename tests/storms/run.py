#!/usr/bin/env python3
"""All policies x all scenarios -> Markdown tables (stdout). See README.md here."""
import argparse
import json
import multiprocessing
import sys
import time

import clients
import gate
import peers
from scenarios import N, C0, MORE, SCENARIOS
from upstream import Api, Clock, MEAN_SERVICE, Metrics, OK, Source

LOOPS = {"seed": peers.Seed, "sdk": peers.Sdk, "sdk+loop": peers.SdkForever, "litellm": peers.LiteLlm,
         "pause-all": peers.PauseAll, "breaker": peers.Breaker, "sre-throttle": peers.Throttle,
         "aws-adaptive": peers.AwsAdaptive, **peers.TUNED}
LIMITERS = {"aimd": peers.Aimd, "netflix": peers.Netflix, "postfix": peers.Postfix, "oracle": peers.Oracle}
POLICIES = ["oracle"] + list(LOOPS) + ["aimd", "netflix", "postfix", "gate", "gate-noack"]
ABLATIONS = {                             # what each part of the gate is good for
    "gate": {}, "rho=1 (always a limit)": {"rho": 1.0}, "rho=0 (always chance)": {"rho": 0.0},
    "never dark": {"run_min": 1e9}, "dark after 8, always": {"run_mul": 0.0},
    "pause = 0.1*age": {"law": "linear"}, "pause = 1,2,4..30 s": {"law": "double"},
    "no growth doubling": {"one_step": 1}, "U forgotten when dark": {"u_mem": 1e-3},
    "no refusal budget": {"knock": 1e-3}, "no quiet rule": {"quiet": 1e9}, "not streamed (no early header)": {"noack": 1},
}
OPEN_RATE = 0.7 * C0 / MEAN_SERVICE      # open workload: 70 % of capacity
DEADLINE = {"inter": 60.0, "batch": 300.0}


def scaled(models, n):
    """the same weather for a pool of n instead of 64 workers"""
    for x in models:
        x.cap = lambda t, f=x.cap: int(round(f(t) * n / N))
        x.rpm = x.rpm and x.rpm * n / N
    return {x.name: x for x in models}


def ablate(over):
    """switches that are not constants of the gate"""
    over, law = dict(over), over.get("law")
    fixed = over.pop("rho", None)
    one, noack = over.pop("one_step", 0), over.pop("noack", 0)
    over.pop("law", None)
    gate.rho = (lambda g, c: fixed) if fixed is not None else RHO
    gate.PAUSE = {None: PAUSE, "linear": lambda g, c, age: 0.1 * age,
                  "double": lambda g, c, age: min(30.0, 2.0 ** max(0, g.run - c.run_min - 1))}[law]
    gate.STEP = 1 if one else 2
    return over, noack


RHO, PAUSE = gate.rho, gate.PAUSE


def play(policy, scen, seed, rate, over=None, n=N, daemons=1, world=(Api, Source)):
    clock, m = Clock(), Metrics()
    models = scaled(scen.build(seed), n)
    new_api, new_source = world
    api, chain = new_api(clock, models, seed, m), list(models)
    over, noack = ablate(over or {})
    jobs = []
    for d in range(daemons):              # several daemons share the upstream, n / daemons workers each
        k, s = n // daemons, seed + 1000 * d
        src = new_source(clock, s, rate and rate * n / N / daemons, scen.until)
        jobs.append(src)
        if policy in LOOPS:
            clients.Loops(clock, api, src, LOOPS[policy](clock, chain, k, s), k, m)
            continue
        if policy in LIMITERS:
            p = LIMITERS[policy](clock, chain, k, s)
            p.models = models
        else:
            p = clients.Gates(clock, chain, k, s, gate.Cfg(**over), ack=policy != "gate-noack" and not noack)
        clients.Daemon(clock, api, src, p, k)
    full = []
    if scen.end is not None:              # when are the slots used again?
        def look():
            full.append((clock.now, sum(x.busy for x in models.values())))
            if clock.now < scen.until:
                clock.at(clock.now + 0.25, look)
        clock.at(scen.end, look)
    clock.run(scen.until)
    return m, jobs, full


def pct(xs, p):
    return sorted(xs)[min(len(xs) - 1, int(p * len(xs)))] if xs else float("nan")


def jain(xs):
    return sum(xs) ** 2 / (len(xs) * sum(x * x for x in xs)) if sum(xs) else 0.0


def named(key):
    return next(s for s in SCENARIOS + MORE if s.key == key)


def saturated(m, full, scen, n=N):
    """the figures of a play with an endless backlog; full: [(time, slots in use)] from the recovery on"""
    out = {"work": m.work(scen.a, scen.b)}
    out["waste"] = m.bad(scen.a, scen.b) / max(1, m.completions(scen.a, scen.b))
    out["lost%"] = 100.0 * m.failed / max(1, m.failed + len(m.done_t))
    out["storm"] = m.peak(scen.a, scen.b, only=("529", "429", "500", "timeout"))
    if scen.end is not None:
        out["full"] = next((t - scen.end for t, b in full if b >= 0.9 * n), scen.until - scen.end)
        out["herd"] = m.peak(scen.end - 1, min(scen.until, scen.end + 60)) / n
    return out


def measure(a):
    label, policy, key, seed, over, n, daemons = a
    scen = named(key)
    # 1. saturated: an endless backlog
    m, _, full = play(policy, scen, seed, None, over, n, daemons)
    out = {"policy": label, "scenario": key, "seed": seed, **saturated(m, full, scen, n)}
    by = {}
    for t, j in zip(m.done_t, m.done_job):
        if scen.a <= t <= scen.b:
            c = j.client if daemons == 1 else j.seed
            by[c] = by.get(c, 0) + 1
    out["jain"] = jain([by.get(i, 0) for i in range(Source.CLIENTS)] if daemons == 1 else
                       [by.get(seed + 1000 * d, 0) for d in range(daemons)])
    # 2. open: arrivals at 70 % of capacity, one in five interactive
    m, srcs, _ = play(policy, scen, seed, OPEN_RATE, over, n, daemons)
    born = [j for s in srcs for j in s.all if j.born >= scen.a]
    end = {id(j): t for t, j in zip(m.done_t, m.done_job)}
    lat = [(end.get(id(j), scen.until) - j.born, j) for j in born]       # unfinished: at least this
    out["intime"] = sum(id(j) in end and x <= DEADLINE[j.cls] for x, j in lat)
    out["p50"], out["p99"] = pct([x for x, _ in lat], 0.5), pct([x for x, _ in lat], 0.99)
    out["i99"] = pct([x for x, j in lat if j.cls == "inter"], 0.99)
    out["lost"] = 100.0 * m.failed / max(1, len(born))
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--policies", nargs="*", default=POLICIES)
    ap.add_argument("--scenarios", nargs="*", default=[s.key for s in SCENARIOS])
    ap.add_argument("--more", action="store_true", help="the scenarios of MORE")
    ap.add_argument("--seeds", type=int, default=3)
    ap.add_argument("--first-seed", type=int, default=1)
    ap.add_argument("--n", type=int, default=N, help="workers")
    ap.add_argument("--daemons", type=int, default=1)
    ap.add_argument("--set", nargs="*", default=[], help="gate constants, e.g. kappa=1.0")
    ap.add_argument("--retry-min", type=float, default=0.0, help="back-off of a refused job at the gate, 0: none")
    ap.add_argument("--ablate", action="store_true")
    ap.add_argument("--columns", nargs="*", default=["goodput", "waste", "full", "herd", "storm", "lost%", "intime%", "p99"])
    ap.add_argument("--json")
    o = ap.parse_args()
    clients.Daemon.retry_min = o.retry_min
    t0, over = time.time(), {k: float(v) for k, v in (x.split("=") for x in o.set)}
    rows = [(p, p, over) for p in o.policies]
    if o.ablate:
        rows = [(k, "gate", {**over, **v}) for k, v in ABLATIONS.items()]
    if "oracle" not in [x[0] for x in rows]:
        rows.insert(0, ("oracle", "oracle", {}))
    seeds = range(o.first_seed, o.first_seed + o.seeds)
    if o.more:
        o.scenarios, seeds = [s.key for s in MORE], range(100 + o.first_seed, 100 + o.first_seed + o.seeds)
    jobs = [(lab, p, s, i, ov, o.n, o.daemons) for s in o.scenarios for lab, p, ov in rows for i in seeds]
    jobs.sort(key=lambda a: a[2] != "hour")
    with multiprocessing.Pool() as pool:
        res = {(r["policy"], r["scenario"], r["seed"]): r for r in pool.imap_unordered(measure, jobs)}
    if o.json:
        json.dump(sorted(res.values(), key=lambda r: (r["scenario"], r["policy"], r["seed"])), open(o.json, "w"), indent=0)

    def cell(col, p, s):
        def one(i):
            r, best = res[p, s, i], res["oracle", s, i]
            return {"goodput": lambda: r["work"] / best["work"],
                    "intime%": lambda: 100.0 * r["intime"] / max(1, best["intime"])}.get(col, lambda: r.get(col))()
        xs = [one(i) for i in seeds]
        if None in xs:
            return ""
        x = sum(xs) / len(xs)
        return f"{x:.2f}" if col in ("waste", "herd") else f"{x:.3f}" if col in ("goodput", "jain") else f"{x:.1f}" if x < 100 else f"{x:.0f}"

    def mean(p, s, f):
        return sum(f(res[p, s, i], res["oracle", s, i]) for i in seeds) / len(seeds)

    bad = [s for s in o.scenarios if s != "calm"]
    print("**all scenarios but calm**\n\n| policy | mean goodput | worst goodput | mean excess waste | median | "
          "worst lost % | mean in time % (not hour) |\n|---|---|---|---|---|---|---|")
    for lab, _, _ in rows:
        g = {s: mean(lab, s, lambda r, b: r["work"] / b["work"]) for s in bad}
        w = sorted(max(0.0, mean(lab, s, lambda r, b: r["waste"] - b["waste"])) for s in bad)
        t = [min(1.0, mean(lab, s, lambda r, b: r["intime"] / max(1, b["intime"]))) for s in bad if s != "hour"]
        lost = max(mean(lab, s, lambda r, b: r["lost%"]) for s in bad)
        low = min(bad, key=g.get)
        print(f"| {lab} | {sum(g.values()) / len(g):.3f} | {g[low]:.3f} ({low}) | {sum(w) / len(w):.2f} | "
              f"{w[len(w) // 2]:.2f} | {lost:.1f} | {100 * sum(t) / max(1, len(t)):.1f} |")
    for col in o.columns:
        print(f"\n**{col}**\n\n| policy | " + " | ".join(o.scenarios) + " |\n|---|" + "---|" * len(o.scenarios))
        for lab, _, _ in rows:
            print(f"| {lab} | " + " | ".join(cell(col, lab, s) for s in o.scenarios) + " |")
    print(f"\n{time.time() - t0:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
