"""One play of one weather: the fake API, and before it forebayd or the peers of today; what came of
it is read from the fake API's own log and measured by the simulator's own functions.
"""
import contextlib, json, os, signal, subprocess, sys, tempfile, time, urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "storms"), os.path.join(TESTS, "stories")]
import dice
import lib
import run as storms
from scenarios import N
from upstream import Metrics, OK

SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-5-5"
SPEED = {SONNET: 1.0, HAIKU: 0.5}
TICKS = os.sysconf("SC_CLK_TCK")

# The weather of tests/storms/scenarios.py in the language of the fake API, after 120 s of calm.
# A 500 of the simulator takes longer than a 529. A flap is over after 300 s.
WEATHER = {
    "out60": ("real cap=64", "60s dark; calm"),
    "p70": ("real cap=64", "300s p=0.7; calm"),
    "p90": ("real cap=64", "300s p=0.9; calm"),
    "cliff": ("real cap=40", "calm"),
    "step": ("real cap=64", "120s cap=16; calm"),
    "flap": ("real cap=64", "10s dark; 10s calm; " * 15 + "calm"),
    "sick": ("real cap=64", "120s hang=0.5 500=0.5 refuse=1s~0.5; calm"),
    "rpm": ("real cap=64 rpm=120", "calm"),
    "fall": ("real cap=64 model=*haiku* cap=24 gen=6s~0.6", "300s dark model=*haiku* clear cap=24; calm"),
}


def weather_of(key):
    return "always %s; 120s calm; %s" % WEATHER[key]


def chain_of(key):
    return [SONNET, HAIKU] if key == "fall" else [SONNET]


# --- what was played ---------------------------------------------------------------

class Api(lib.FakeApi):
    """With a finer clock and without the log files of the stories, so that x20 is as exact as it
    can be: libevent's usual timers are 4 ms late."""

    def __init__(self, story, weather, seed, scale):
        ready, ours = os.pipe()
        command = [os.path.join(lib.OUT, "fakeapi"), "--key", story.key, "--seed", str(seed),
                   "--time-scale", "%g" % scale, "--ready-fd", str(ours), weather]
        lib.Process.__init__(self, story, "fakeapi", command, {"EVENT_PRECISE_TIMER": "1"}, pass_fds=(ours,))
        os.close(ours)
        with os.fdopen(ready) as urls:
            self.url = urls.readline().strip()
        lib.check(self.url, "the fake API did not start:\n" + self.log_tail())
        self.address, self.scale, self.transcript = urllib.parse.urlsplit(self.url), scale, ""

    def begin(self):
        """The weather begins now."""
        lib.equal(200, self.ask("POST", "/_reset")[0], "/_reset")

    def wait_until(self, weather_s, alive):
        while (left := weather_s / self.scale - self.stats()["t"]) > 0:
            lib.check(alive(), "it ended in the middle of the play")
            time.sleep(min(left, 1.0))


def cpu_of(pid):
    with open("/proc/%d/stat" % pid) as file:
        user, system = file.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / TICKS


def go_first():
    """Before whatever else the machine does, where that is allowed: it is little, but at x20 10 ms late are
    0.2 s of weather. Niceness does not help against other sessions. All that is started inherits it."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def busy_of_machine():
    with open("/proc/stat") as file:
        ticks = list(map(int, file.readline().split()[1:9]))
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


# --- who plays -----------------------------------------------------------------------

class Gate:
    """forebayd with its queue already full, held until the weather begins."""

    def __init__(self, story, api, key, seed, settings):
        self.daemon = story.daemon(
            api, "daemon.workers=%d" % N, "daemon.log_level=error", "daemon.drain_timeout=0",
            "upstream.first_byte_timeout=60s", *settings,
            env={"FOREBAY_TIME_SCALE": "%g" % api.scale, "EVENT_PRECISE_TIMER": "1"})
        self.pid, self.client = self.daemon.pid, self.daemon.client(timeout=60)
        self.client.request("hold", target="all")
        scen = storms.named(key)
        options = {"chain": chain_of(key)} if len(chain_of(key)) > 1 else {}
        self.jobs = int(6 * scen.until)  # more than all slots can do
        for first in range(1, self.jobs + 1, 500):
            numbers = range(first, min(first + 500, self.jobs + 1))
            streams = [self.client.start("submit", lib.body("[tag:%d] Hello" % i), **options) for i in numbers]
            for stream in streams:
                self.client.finish(stream)

    def go(self):
        self.client.request("release", target="all")

    def alive(self):
        return self.daemon.running()

    def end(self, completed):
        """Jobs that are neither answered nor still there. What the API has completed, the daemon has
        put on disk a moment later."""
        left = lib.clock(10)
        while (count := self.client.request("stats")[0]["metrics"])["jobs_succeeded_total"] < completed:
            left("putting answers on disk")
            time.sleep(0.01)
        alive = sum(count["jobs_" + state] for state in ("queued", "delayed", "running"))
        got = {"lost": self.jobs - count["jobs_succeeded_total"] - alive, "jobs": self.jobs}
        if got["lost"]:
            failed = self.client.rows("list", state="failed", limit=100)
            got["words"] = "; ".join(sorted({row.get("error", row["state"]) for row in failed}))
        return got


class Peers:
    def __init__(self, story, api, key, seed, policy):
        command = [sys.executable, os.path.join(HERE, "storm_peers.py"), api.address.hostname, str(api.address.port),
                   story.key, policy, str(seed), "%g" % api.scale, str(N), *chain_of(key)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        lib.equal("ready\n", self.process.stdout.readline(), "the peers")

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def alive(self):
        return self.process.poll() is None

    def end(self, _completed):
        self.process.send_signal(signal.SIGTERM)
        told = json.loads(self.process.communicate(timeout=lib.DEADLINE)[0])
        return {"lost": told["given_up"]}

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()


# --- what came of it ---------------------------------------------------------------------

def kind_of(entry):
    if entry["accepted"]:
        return OK
    return {"hang": "timeout", "529": "529", "429": "429"}.get(entry["fault"], "500")


def metrics_of(entries, scale, scen):
    """The log as the simulator's own books, and the slots in use from the recovery on."""
    m, steps = Metrics(), []
    for entry in entries:
        begin, end = entry["t"] * scale, (entry["t_end"] or 1e9) * scale
        m.sent(begin, entry["model"], kind_of(entry))
        if not entry["accepted"]:
            continue
        m.began(begin, end, SPEED[entry["model"]])
        steps += [(begin, 1), (end, -1)]
        if entry["outcome"] == "complete":
            m.completed(end, entry["tag"])
    m.done_t.sort()
    steps.sort()
    full, level, at = [], 0, 0
    for i in range(int(4 * (scen.until - (scen.end or scen.until))) + 1):
        now = (scen.end or scen.until) + 0.25 * i
        while at < len(steps) and steps[at][0] <= now:
            level, at = level + steps[at][1], at + 1
        full.append((now, level))
    return m, full


def lateness(entries, scale, seed):
    """How much longer than drawn whole answers took, in seconds of weather: (median, 99th of 100)."""
    late = []
    for entry in entries:
        if entry["outcome"] == "complete" and entry["accepted"]:
            ttfb, gen = dice.spans(seed, entry["tag"])
            late.append((entry["t_end"] - entry["t"]) * scale - ttfb - gen * SPEED[entry["model"]])
    return [storms.pct(late, p) for p in (0.5, 0.99)]


def play(policy, key, seed, scale, settings=(), keep=None):
    """A dictionary: the figures of storms.saturated() and what the machine did meanwhile."""
    scen = storms.named(key)
    tempfile.tempdir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    peers = None
    go_first()
    with lib.Story() as story:
        api = Api(story, weather_of(key), seed, scale)
        story.processes.append(api)
        try:
            if policy == "gate":
                who = Gate(story, api, key, seed, settings)
            else:
                who = peers = Peers(story, api, key, seed, policy)
            cpu, busy, start = [cpu_of(who.pid), cpu_of(api.pid)], busy_of_machine(), time.monotonic()
            api.begin()
            who.go()
            api.wait_until(scen.until, who.alive)
            cpu = [now - before for now, before in zip((cpu_of(who.pid), cpu_of(api.pid)), cpu)]
            busy, took = [now - before for now, before in zip(busy_of_machine(), busy)], time.monotonic() - start
            entries = [entry for entry in api.entries() if entry["path"] == "/v1/messages"]
            told = who.end(sum(entry["outcome"] == "complete" and entry["accepted"] for entry in entries))
        finally:
            if peers:
                peers.kill()
    if keep:
        with open(keep, "w") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in entries)
    m, full = metrics_of(entries, scale, scen)
    return {"policy": policy, "scenario": key, "seed": seed, "scale": scale, **storms.saturated(m, full, scen), **told,
            "requests": len(entries), "again": len(m.done_job) - len(set(m.done_job)),
            "late": lateness(entries, scale, seed), "cpu": [seconds / took for seconds in cpu], "busy": busy[0] / busy[1]}
