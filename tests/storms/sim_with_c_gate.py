#!/usr/bin/env python3
"""The C gate inside the reference simulator, in place of gate.py.

  sim_with_c_gate.py                     play every scenario with both, fail on any difference
  sim_with_c_gate.py --tables [...]      run.py's tables, the gate being the C one; its arguments
  sim_with_c_gate.py --seeds 3 --scenarios out60 p70

OUT is the build directory (out) with libgate-sim.so (make tests).
"""
import argparse
import multiprocessing
import sys


def use(which):
    """before anything imports gate"""
    if which == "c":
        import cgate
        sys.modules["gate"] = cgate


def measure(a):
    import run
    return run.measure(a)


def play(which, jobs):
    # A process of its own for each gate: modules are shared by all of one.
    with multiprocessing.get_context("spawn").Pool(initializer=use, initargs=(which,)) as pool:
        return pool.map(measure, jobs, chunksize=1)


def compare(o):
    jobs = [("gate", "gate", s, o.first_seed + i, {}, o.n, 1) for s in o.scenarios for i in range(o.seeds)]
    wrong = 0
    for want, got in zip(play("python", jobs), play("c", jobs)):
        if repr(want) != repr(got):
            wrong += 1
            print(f"{want['scenario']} seed {want['seed']}:\n  gate.py {want}\n  gate.c  {got}")
    print(f"{len(jobs)} plays, {wrong} differ")
    return wrong != 0


def main():
    if "--tables" in sys.argv:
        sys.argv.remove("--tables")
        use("c")
        import run
        if not any(a.startswith("--policies") for a in sys.argv):
            sys.argv += ["--policies", "oracle", "gate"]
        return run.main()
    import scenarios
    every = [s.key for s in scenarios.SCENARIOS]
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--scenarios", nargs="*", default=every)
    ap.add_argument("--seeds", type=int, default=1)
    ap.add_argument("--first-seed", type=int, default=401)
    ap.add_argument("--n", type=int, default=64, help="workers")
    return compare(ap.parse_args())


if __name__ == "__main__":
    sys.exit(main())
