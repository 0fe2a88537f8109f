#!/usr/bin/env python3
"""A crash loop in bad weather asks the API no oftener than a daemon that runs.

    loop.py [--seconds N]      default 12 seconds, LONG=1: 60

Each kind of weather meets two daemons with the same full queue, one that runs and one that is
killed with -9 and started again every second. The fake API's log counts what arrived. When the
weather is over both queues must come through whole.
"""
from crash import *
import math

LIFE = 1.0  # seconds, of a daemon in the loop
LEARNING = 3.0  # seconds in which the weather is found out
JOBS = 60
WORKERS = 64
HOLD = 30  # seconds, what retry-after says
# The gate's law (daemon/gate/gate.c): kappa, the shortest jitter, most seconds of a pause.
KAPPA, JITTER, PAUSE_MAX = 2.0, 0.2, 8.0

WEATHERS = {
    "dark": "dark refuse=20ms",
    "slow-dark": "dark refuse=400ms~0.5",
    "hang": "hang",
    "spend": "usage",
    "hold": "429 retry-after=%d" % HOLD,
}


def law(age):
    return min(PAUSE_MAX, KAPPA * math.sqrt(max(0.0, age) / WORKERS)) * (1 - JITTER)


def check_pauses(name, entries):
    """In the dark no probe of a model leaves sooner than the shortest pause after the last one."""
    for model in MODELS:
        mine = [entry for entry in entries if entry["model"] == model]
        since = mine[0]["t_end"]
        for before, after in zip(mine, mine[1:]):
            if before["t"] < entries[0]["t"] + LEARNING:
                continue
            # One that was killed while it was out has been taken for refused when it was sent.
            known = before["t_end"] if before["outcome"] == "complete" else before["t"]
            gap, least = after["t"] - known, law(known - since)
            check(gap > least - 0.02, "%s: a probe of %s left %.3f s after the last, the law says %.3f\n%s" % (
                name, model, gap, least, after))


def check_held(name, entries):
    for model in MODELS:
        mine = [entry for entry in entries if entry["model"] == model]
        told = mine[0]["t_end"]
        early = [entry["t"] for entry in mine if told + 0.5 < entry["t"] < told + HOLD]
        check(not early, "%s: %s was told at %.2f to wait %d s, and asked at %s" % (name, model, told, HOLD, early))


def check_closed(name, entries, daemon):
    told = entries[0]["t_end"]
    early = [entry["t"] for entry in entries if entry["t"] > told + 0.5]
    check(not early, "%s: told at %.2f, and asked at %s" % (name, told, early))
    client = daemon.client()
    gate, = [gate for gate in client.request("gates")[0]["gates"] if gate["name"] == "key"]
    check(gate["weather"] == "held" and "usage limits" in gate["reason"],
          "%s: the key's gate does not say why it is closed: %s" % (name, gate))
    check("usage limits" in daemon.cli("status").stdout, "nor does status: " + daemon.cli("status").stdout)


def one(name, looped, seconds):
    """Run one daemon; prints what arrived as JSON."""
    with Scene() as scene:
        api = scene.fakeapi(WEATHERS[name])
        settings = ("daemon.workers=%d" % WORKERS, "queue.attempts=100")
        daemon = scene.daemon(api, *settings)
        jobs = {"j%d" % i: (body("[tag:j%d] [echo:j%d]" % (i, i), model=MODELS[i % 2]), {}) for i in range(JOBS)}
        ids = {}
        Patient(daemon.socket).submit_all(jobs, lambda key, reply: ids.update({key: reply["id"]}))
        begin, lives, left = time.monotonic(), 1, clock(seconds + 30 * SLOWER)
        while time.monotonic() < begin + seconds:
            time.sleep(max(0, min(LIFE, begin + seconds - time.monotonic())))
            left("a crash loop")
            if looped:
                daemon.kill()
                daemon, lives = daemon.again(*settings), lives + 1
        entries = [entry for entry in api.entries() if entry["path"] == "/v1/messages"]
        what = "%s, %s" % (name, "looped" if looped else "running")
        if name == "dark":
            check_pauses(what, entries)
        elif name == "hold":
            check_held(what, entries)
        elif name == "spend":
            check_closed(what, entries, daemon)

        # It is over: whatever hangs is broken off, whatever waits is let go, and nothing is lost.
        api.control("calm")
        daemon.kill()
        daemon = daemon.again(*settings)
        client = daemon.client()
        client.request("release", target="all")
        for key, id in ids.items():
            equal(key, client.text(id))
        daemon.stop()
        check_copy(daemon.state, os.path.join(scene.dir, "copy"))
        first = entries[0]["t"]
        late = [entry for entry in entries if first + LEARNING < entry["t"] < first + seconds - LIFE]
        print(json.dumps({"lives": lives, "late": len(late)}))


def start(name, looped, seconds):
    return subprocess.Popen([sys.executable, os.path.abspath(__file__), "--one", name, "--looped", str(int(looped)),
                             "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True)


def main():
    begun = time.monotonic()
    given = arguments(__doc__, seconds=60.0 if LONG else 12.0, one="", looped=0)
    if given.one:
        one(given.one, bool(given.looped), given.seconds)
        return
    running = [(name, looped, start(name, looped, given.seconds)) for name in WEATHERS for looped in (0, 1)]
    got, failed = {}, []
    for name, looped, process in running:
        output = process.communicate(timeout=given.seconds + 120 * SLOWER)[0]
        if process.returncode:
            failed.append("%s, looped %d:\n%s" % (name, looped, output))
        else:
            got[name, looped] = json.loads(output.splitlines()[-1])
    check(not failed, "\n".join(failed))
    for name in WEATHERS:
        steady, loop = got[name, 0]["late"], got[name, 1]["late"]
        # One more for the probe that was in the air, and the chance that is in every pause.
        check(loop <= steady + 1 + JITTER * steady, "%s: %d requests of the loop, %d of the daemon that ran" % (
            name, loop, steady))
    finish("loop", begun, "%d s, %d lives; requests after the first %d s, in a loop and without: " % (
        given.seconds, got["dark", 1]["lives"], LEARNING) + ", ".join(
            "%s %d and %d" % (name, got[name, 1]["late"], got[name, 0]["late"]) for name in WEATHERS))


if __name__ == "__main__":
    main()
