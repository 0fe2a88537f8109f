#!/usr/bin/env python3
"""make bench-storm: forebayd in the simulator's weather, with real sockets, beside what users have today.

    storm.py [--quick] [--scenarios NAME...] [--policies NAME...] [--rounds N] [--peer-rounds N] [--scale X]
             [--parallel N] [--first-seed N] [--set SECTION.KEY=VALUE...] [--keep DIR] [--json FILE]

The fake API plays the weather of tests/storms/scenarios.py in accelerated time (--scale, 20) to 64
workers with an endless backlog, after 120 s (of weather) of calm. Before it stand, one at a time and
each with a fake API of its own: forebayd (its clock as much faster, its state in memory), and 64
independent loops with the SDK's rule in an endless loop around it, with the classic rule (3 attempts,
min(30, 5 * 2^n) s, the next model, then lost), and with a pause of 0.25 s doubling to 5 s that stops
everybody, the best of its family. Everything is read from the fake API's log and measured by
the simulator's own functions:

  goodput   accepted work in the window / what an oracle would have got from the same API. The oracle is
            the simulator's, playing the very jobs of this round (the fake API's dice, tests/storms/dice.py):
            it knows when a slot is free and is never refused by a limit or in the dark
  waste     failed requests for each completed job; the excess is what exceeds the oracle's
  storm     the most failed requests in any second
  recovery  seconds from the end of the trouble until nine tenths of the workers have an answer coming
  lost      jobs given up; of forebayd: submitted, and neither answered nor still there

Beside them the simulator's figure of the gate, as tests/storms/run.py --policies gate --retry-min 0.25.
Figures are medians of the rounds, round n having seed n. At x20 a millisecond of the daemon's disk is 20 ms
of weather: where forebayd is more than 3 points below the simulator, x5 is played, too, and told beside it.
Status 1: forebayd lost a job. Nothing else is a failure of this program, a goal that is missed is said to
be. OUT is the build directory (out).
"""
import argparse, concurrent.futures, json, multiprocessing, os, statistics, sys, time

import storm_play
from storm_play import dice, storms

REAL = {"gate": "forebayd", "sdk": "SDK's loop", "classic": "classic rule", "pause": "tuned pause"}
RULE = {"gate": "gate", "sdk": "sdk+loop", "classic": "seed", "pause": "pause (goodput)"}
SCENARIOS = ["out60", "p70", "cliff", "step", "flap", "sick", "rpm", "fall"]
SIMULATED = "gate, simulated"
RETRY_MIN = 0.25
SIM_SEEDS = range(401, 413)
LATE = 0.015    # s (real) that one answer in a hundred may be late; else the play was disturbed,
REPEATS = 1     # and is repeated so often
SLOWER, SLOWER_ROUNDS = 5.0, 3
POINTS = 0.03
MEASURES = {  # title, key, digits
    "goodput (share of the oracle's work)": ("goodput", 3),
    "waste (failed requests a completed job)": ("waste", 2),
    "excess (of that, beyond the oracle's)": ("excess", 2),
    "worst second (failed requests)": ("storm", 0),
    "recovery (s until 90 % of the workers are busy)": ("full", 1),
    "jobs lost": ("lost", 0),
}


# --- in processes of their own ----------------------------------------------------------

def simulate(task):
    """(policy, scenario, seed, as the fake API's dice fall) -> figures"""
    policy, key, seed, same = task
    storms.clients.Daemon.retry_min = RETRY_MIN
    scen = storms.named(key)
    world = {"world": (dice.Api, dice.Source)} if same else {}
    m, _, full = storms.play(policy, scen, seed, None, **world)
    return task, {**storms.saturated(m, full, scen), "lost": m.failed}


def play(task):
    policy, key, seed, options = task
    keep = options.keep and os.path.join(options.keep, "%s-%s-%d.jsonl" % (policy, key, seed))
    try:
        for repeated in range(REPEATS + 1):
            figures = storm_play.play(RULE[policy], key, seed, options.scale, options.set, keep)
            if figures["late"][1] < LATE * options.scale:
                break
        return task, {**figures, "repeated": repeated}
    except SystemExit:
        return task, None  # a story has told why


# --- rounds -------------------------------------------------------------------------------

def against(figures, best):
    return {**figures, "goodput": figures["work"] / best["work"],
            "excess": max(0.0, figures["waste"] - best["waste"])}


def simulations(options, seeds):
    """{(policy, scenario, seed, same dice): figures}"""
    tasks = [("oracle", key, seed, True) for key in options.scenarios for seed in seeds]
    tasks += [(policy, key, seed, False) for key in options.scenarios for seed in SIM_SEEDS
              for policy in ["oracle"] + [RULE[name] for name in options.policies]]
    with multiprocessing.Pool() as pool:
        return dict(pool.imap_unordered(simulate, tasks, 4))


def plays(options, scenarios, policies, rounds):
    """The figures of every play; the long ones first, peers and gates mixed."""
    tasks = [(name, key, options.first_seed + i, options) for name in policies for key in scenarios
             for i in range(rounds[name == "gate"])]
    tasks.sort(key=lambda task: (task[2], -storms.named(task[1]).until))
    begun, done = time.monotonic(), 0
    with concurrent.futures.ProcessPoolExecutor(options.parallel) as pool:
        for future in concurrent.futures.as_completed([pool.submit(play, task) for task in tasks]):
            (name, key, seed, _), figures = future.result()
            done += 1
            if sys.stderr.isatty():
                print("\r%d of %d plays, %.0f s " % (done, len(tasks), time.monotonic() - begun), end="", file=sys.stderr)
            yield name, key, seed, figures
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)


class Table:
    """Values of rounds by (row, scenario, measure); shows medians."""

    def __init__(self):
        self.values = {}

    def add(self, row, key, figures):
        for what, _ in MEASURES.values():
            if figures.get(what) is not None:
                self.values.setdefault((row, key, what), []).append(figures[what])

    def median(self, row, key, what):
        values = self.values.get((row, key, what))
        return statistics.median(values) if values else None

    def cell(self, row, key, what, digits):
        """Of lost jobs, the most."""
        value = self.median(row, key, what)
        if value is not None and what == "lost":
            value = max(self.values[row, key, what])
        return "" if value is None else "%.*f" % (digits if value < 100 else 0, value)

    def show(self, rows, scenarios):
        for title, (what, digits) in MEASURES.items():
            print("\n**%s**\n\n| | %s |\n|---|%s" % (title, " | ".join(scenarios), "---|" * len(scenarios)))
            for row in rows:
                cells = [self.cell(row, key, what, digits) for key in scenarios]
                print("| %s | %s |" % (row, " | ".join(cells)))
        sys.stdout.flush()


# --- what is said about it ----------------------------------------------------------------

def say_goal(table, scenarios, scale):
    """Says, and returns the scenarios in which the goal is missed."""
    verdicts, missed = [], []
    for key in scenarios:
        real, simulated = (table.median(row, key, "goodput") for row in (REAL["gate"], SIMULATED))
        if real < simulated - POINTS:
            missed.append(key)
        verdicts.append("%s %s (%+.1f)" % (key, "MISS" if key in missed else "pass", 100 * (real - simulated)))
    print("\nx%g: forebayd within %.0f points of the simulator's goodput: %s" % (
        scale, 100 * POINTS, ", ".join(verdicts)), flush=True)
    return missed


def means(table, row, scenarios):
    """(goodput, excess) over the scenarios, and the jobs lost"""
    mean = [statistics.mean(table.median(row, key, what) for key in scenarios) for what in ("goodput", "excess")]
    return (*mean, sum(max(table.values[row, key, "lost"]) for key in scenarios))


def say_beside(table, rows, scenarios):
    """0 lost; ten times fewer excess refusals than any that loses none; goodput within a point of
    the best, and the best of those below 5 excess a job."""
    got = {row: means(table, row, scenarios) for row in rows}
    print("over these scenarios: " + "; ".join(
        "%s %.3f, excess %.2f, %d lost" % (row, *figures) for row, figures in got.items()))
    goodput, excess, lost = got.pop(REAL["gate"])
    careful = {row: figures for row, figures in got.items() if not figures[2]}
    if not careful:
        return
    least = min(figures[1] for figures in careful.values())
    best = max([goodput] + [figures[0] for figures in careful.values()])
    polite = max([goodput] + [figures[0] for figures in careful.values() if figures[1] < 5])
    said = {"0 lost": not lost, "10 times fewer excess refusals than who loses none (%.0f)" % (least / max(excess, 1e-3)):
            least >= 10 * excess, "goodput within a point of the best (%+.1f)" % (100 * (goodput - best)):
            goodput >= best - 0.01, "the best of those with less than 5 excess (%+.1f)" % (100 * (goodput - polite)):
            goodput >= polite}
    print("goals: " + ", ".join("%s %s" % (text, "met" if met else "MISSED") for text, met in said.items()))


def say_machine(results):
    """Was it the bench? Lateness is how much longer whole answers took than the fake API had drawn."""
    busy = [got["busy"] for got in results]
    most = [max(got["cpu"][i] for got in results) for i in (0, 1)]
    late = [statistics.median(got["late"][i] for got in results) for i in (0, 1)]
    print("machine: %.0f %% of %d processors busy (at most %.0f %%); one of the players used %.0f %% of a processor at "
          "most, a fake API %.0f %%; answers were %.0f ms of weather late, one in a hundred %.0f ms" % (
              100 * statistics.mean(busy), os.cpu_count(), 100 * max(busy), 100 * most[0], 100 * most[1],
              1000 * late[0], 1000 * late[1]))
    repeated = sum(got["repeated"] for got in results)
    late = sum(got["late"][1] >= LATE * got["scale"] for got in results)
    if repeated:
        print("%d plays were disturbed and repeated, %d of them in vain" % (repeated, late))
    if late or max(most) > 0.7:
        print("LOUDLY: the machine was too slow for this time scale; its figures count against whoever had it: "
              "--scale 5, --parallel 1, or a quieter machine")


def parse():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--quick", action="store_true", help="out60, forebayd and the tuned pause, one round")
    ap.add_argument("--scenarios", nargs="+", default=SCENARIOS, choices=list(storm_play.WEATHER), metavar="NAME")
    ap.add_argument("--policies", nargs="+", default=list(REAL), choices=list(REAL), metavar="NAME")
    ap.add_argument("--rounds", type=int, default=5, help="of forebayd")
    ap.add_argument("--peer-rounds", type=int, default=3, help="of each other")
    ap.add_argument("--first-seed", type=int, default=1)
    ap.add_argument("--scale", type=float, default=20.0)
    ap.add_argument("--parallel", type=int, default=3, help="plays at a time")
    ap.add_argument("--set", nargs="*", default=[], help="of forebayd's configuration")
    ap.add_argument("--keep", help="a directory for the fake API's logs")
    ap.add_argument("--json", help="a file for all figures of all rounds")
    options = ap.parse_args()
    if options.quick:
        options.scenarios, options.policies = ["out60"], ["gate", "pause"]
        options.rounds = options.peer_rounds = 1
        options.parallel = 2
    return options


def play_all(options, simulated, scenarios, policies, rounds):
    """(table, the figures of each play, whether all could be played)"""
    table, results, whole = Table(), [], True
    for name, key, seed, figures in plays(options, scenarios, policies, rounds):
        if figures:
            results.append(against({**figures, "policy": name}, simulated["oracle", key, seed, True]))
            table.add(REAL[name], key, results[-1])
        whole = whole and bool(figures)
    for key in scenarios:
        for seed in SIM_SEEDS:
            figures = simulated.get((RULE["gate"], key, seed, False))
            if figures:
                table.add(SIMULATED, key, against(figures, simulated["oracle", key, seed, False]))
    return table, results, whole


def judge(options, simulated, table):
    """What is said of forebayd; returns further plays."""
    missed = say_goal(table, options.scenarios, options.scale)
    say_beside(table, [REAL[name] for name in options.policies], options.scenarios)
    if not missed or options.scale <= SLOWER:
        return [], True
    options.scale = SLOWER
    table, results, whole = play_all(options, simulated, missed, ["gate"], (0, min(SLOWER_ROUNDS, options.rounds)))
    if whole:
        say_goal(table, missed, SLOWER)
    return results, whole


def main():
    options, begun = parse(), time.monotonic()
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
    rounds = (options.peer_rounds, options.rounds)
    seeds = range(options.first_seed, options.first_seed + max(rounds))
    simulated = simulations(options, seeds)
    table, results, whole = play_all(options, simulated, options.scenarios, options.policies, rounds)
    print("x%g, medians: %d rounds of forebayd, %d of each other; of the simulator %d" % (
        options.scale, options.rounds, options.peer_rounds, len(SIM_SEEDS)))
    real = [REAL[name] for name in options.policies]
    table.show([row for name in real for row in ([name, SIMULATED] if name == REAL["gate"] else [name])],
               options.scenarios)
    if whole and "gate" in options.policies:
        more, whole = judge(options, simulated, table)
        results += more
    if results:
        say_machine(results)
    print("%d plays in %.0f s" % (len(results), time.monotonic() - begun))
    if options.json:
        sims = [dict(zip(("policy", "scenario", "seed", "same_dice"), task), **got) for task, got in simulated.items()]
        with open(options.json, "w") as file:
            json.dump({"real": results, "simulated": sims}, file, indent=0)
    lost = [got for got in results if got["policy"] == "gate" and got["lost"]]
    for got in lost:
        print("LOST: %(lost)d of %(jobs)d jobs in %(scenario)s with seed %(seed)d: %(words)s" % got)
    sys.exit(0 if whole and not lost else 1)


if __name__ == "__main__":
    main()
