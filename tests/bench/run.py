#!/usr/bin/env python3
"""make bench: measure, each figure beside its baseline, in the same minutes on the same disk.

    run.py [B1|B2|B4|B5|B6|B7|B8|B10]...     all of them without names

Environment: OUT (the build directory, "out"), ROUNDS (5; more for a calmer median).

Each round measures ours and the baseline one after the other; a figure is the median of the rounds
with the least and the most of them, a ratio is the median of the ratios within a round. A round
waits for the machine to be idle, but not for ever: the last line says how often it was not. State
lies beside OUT, on the disk that is meant, not in memory. A goal that is missed is reported as
missed, and is no failure of this program.
"""
import json, os, resource, selectors, shutil, signal, socket, statistics, subprocess, sys
import tempfile, threading, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(ROOT, os.environ.get("OUT") or "out")
ROUNDS = int(os.environ.get("ROUNDS") or 5)
sys.path.insert(0, os.path.join(ROOT, "tests", "stories"))
import forebay_client

MODEL = "claude-sonnet-5-5"
MANY = 1_000_000
KIB, MIB = 1024, 1024 * 1024
DEADLINE = 60


class Missing(Exception):
    """A figure or a baseline cannot be measured here; the text says why."""


# --- numbers -----------------------------------------------------------------

def number(value):
    return "%d" % round(value) if abs(value) >= 100 else "%.1f" % value if abs(value) >= 10 else "%.2f" % value


class Series:
    """The values of one thing, one a round."""

    def __init__(self, *values):
        self.values = list(values)

    def add(self, value):
        self.values.append(value)

    def __bool__(self):
        return bool(self.values)

    median = property(lambda self: statistics.median(self.values))

    def over(self, other):
        """The ratios within each round."""
        return Series(*(a / b for a, b in zip(self.values, other.values)))

    def minus(self, other):
        return Series(*(a - b for a, b in zip(self.values, other.values)))

    def __str__(self):
        if not self.values:
            return "-"
        if len(self.values) == 1:
            return number(self.median)
        return "%s [%s..%s]" % tuple(map(number, (self.median, min(self.values), max(self.values))))


def most(series, limit, unit=""):
    """A goal: no more than this."""
    return "<= %s%s" % (number(limit), unit), bool(series) and series.median <= limit


def least(series, limit, unit=""):
    return ">= %s%s" % (number(limit), unit), bool(series) and series.median >= limit


class Figures:
    """What is printed; remembers which goals were missed."""

    def __init__(self):
        self.missed, self.met = [], 0

    def table(self, name, title, head, rows):
        """The last element of a row is a goal, as of most() and least(), or None."""
        lines = [list(head) + ["goal", ""]]
        for *cells, goal in rows:
            text, met = goal or ("-", None)
            if met is False:
                self.missed.append("%s %s" % (name, cells[0]))
            self.met += met is True
            lines.append([*map(str, cells), text, {True: "met", False: "MISSED", None: ""}[met]])
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        print("\n%s  %s" % (name, title))
        for line in lines:
            print(("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths))).rstrip())
        sys.stdout.flush()


# --- the machine ---------------------------------------------------------------

def words(path, start):
    with open(path) as file:
        for line in file:
            if line.startswith(start):
                return line.split(":", 1)[1].strip()
    return "unknown"


def disk_of(dir):
    """(type of file system, device); the deepest mount point above dir wins."""
    with open("/proc/self/mounts") as file:
        mounts = [line.split()[:3] for line in file]
    above = [mount for mount in mounts if os.path.commonpath([dir, mount[1]]) == mount[1]]
    device, _, kind = max(above, key=lambda mount: len(mount[1]), default=("unknown disk", "", "unknown"))
    return kind, device


def machine(dir):
    device = disk_of(os.path.realpath(dir))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2 ** 30
    print("machine: %d x %s, %.0f GiB, Linux %s, %s" % (
        os.cpu_count(), words("/proc/cpuinfo", "model name"), memory, os.uname().release,
        " on ".join(device)))
    if device[0] in ("tmpfs", "ramfs"):
        print("LOUDLY: %s is in memory, so that a sync costs nothing: the durable figures are void" % dir)


def busy_ticks():
    with open("/proc/stat") as file:
        ticks = list(map(int, file.readline().split()[1:9]))
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


class Quiet:
    """Wait for a moment in which nobody else computes."""
    WINDOW, PATIENCE, ALL_PATIENCE, LIMIT = 0.15, 2, 60, 0.15

    def __init__(self):
        self.rounds = self.noisy = self.waited = 0

    def wait(self):
        self.rounds += 1
        start = time.monotonic()
        while True:
            before = busy_ticks()
            time.sleep(self.WINDOW)
            busy, all_ = (a - b for a, b in zip(busy_ticks(), before))
            if busy <= self.LIMIT * all_:
                break
            if time.monotonic() - start > min(self.PATIENCE, self.ALL_PATIENCE - self.waited):
                self.noisy += 1
                break
        self.waited += time.monotonic() - start

    def __str__(self):
        if not self.noisy:
            return "all %d rounds began on an idle machine" % self.rounds
        return ("%d of %d rounds began while others used more than %d %% of the machine: "
                "compare ratios, not absolute numbers" % (self.noisy, self.rounds, 100 * self.LIMIT))


# --- servers -------------------------------------------------------------------

def memory_of(pid, what="VmRSS"):
    return int(words("/proc/%d/status" % pid, what + ":").split()[0]) / KIB


def cpu_of(pid):
    """Seconds of processor of each thread, by its name."""
    used = {}
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, task)) as file:
            name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
        user, system = rest.split()[11:13]
        used[name] = used.get(name, 0) + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return used


class Server:
    def __init__(self, bench, name, command, **options):
        self.bench, self.name = bench, name
        self.log = open(os.path.join(bench.dir, name + ".log"), "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, **options)
        self.pid = self.process.pid
        bench.servers.append(self)

    def died(self):
        self.log.flush()
        with open(self.log.name, errors="replace") as file:
            tail = file.read()[-2000:]
        return Missing("%s does not run, status %s:\n%s" % (self.name, self.process.poll(), tail))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        if self in self.bench.servers:
            self.bench.servers.remove(self)


class Forebayd(Server):
    """With a state directory of its own. Without a key nothing is sent: the gate is held."""

    def __init__(self, bench, name, url=None, settings=(), state=None):
        self.state = state or os.path.join(bench.dir, name + ".state")
        self.socket = os.path.join(bench.sockets, name + ".sock")
        os.makedirs(self.state, 0o700, exist_ok=True)
        command = [os.path.join(OUT, "forebayd"), "-c", bench.file("empty.conf", ""),
                   "--state", self.state, "--socket", self.socket, "--set", "limits.connections=0"]
        if url:
            command += ["--upstream", url, "--set", "upstream.key_file=" + bench.file("key", "bench")]
        for setting in settings:
            command += ["--set", setting]
        path = os.path.join(bench.sockets, name + ".notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(DEADLINE)
            environment = {"PATH": os.environ["PATH"], "HOME": bench.dir, "NOTIFY_SOCKET": path}
            start = time.monotonic()
            super().__init__(bench, name, command, env=environment)
            try:
                while b"READY=1" not in notify.recv(65536).split(b"\n"):
                    pass
            except socket.timeout:
                raise self.died() from None
            finally:
                os.unlink(path)
            self.ready_ms = (time.monotonic() - start) * 1000

    def client(self, timeout=DEADLINE):
        return forebay_client.Client(self.socket, timeout)


class Beanstalkd(Server):
    def __init__(self, bench, name, *options):
        program = shutil.which("beanstalkd")
        if not program:
            raise Missing("beanstalkd is not installed (apt-get install beanstalkd)")
        self.socket = os.path.join(bench.sockets, name + ".sock")
        self.state = os.path.join(bench.dir, name + ".binlog")
        os.makedirs(self.state, exist_ok=True)
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        start = time.monotonic()
        super().__init__(bench, name, [program, "-l", "unix:" + self.socket, "-b", self.state, *options])
        self.until_answer(start + DEADLINE)
        self.ready_ms = (time.monotonic() - start) * 1000

    def until_answer(self, deadline):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(DEADLINE)
            while client.connect_ex(self.socket):
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise self.died()
                time.sleep(0.001)
            client.sendall(b"list-tube-used\r\n")
            if not client.recv(100).startswith(b"USING"):
                raise self.died()


class FakeApi(Server):
    def __init__(self, bench, weather=()):
        ready, ours = os.pipe()
        super().__init__(bench, "fakeapi", [os.path.join(OUT, "fakeapi"), "--ready-fd", str(ours), *weather],
                         pass_fds=(ours,))
        os.close(ours)
        with os.fdopen(ready) as urls:
            self.url = urls.readline().strip()
        if not self.url:
            raise self.died()
        self.port = self.url.rsplit(":", 1)[1]

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=DEADLINE + 5) as answer:
            return json.load(answer)


class Bench:
    def __init__(self):
        os.makedirs(OUT, exist_ok=True)
        self.dir = tempfile.mkdtemp(prefix="bench-", dir=OUT)
        self.sockets = tempfile.mkdtemp(prefix="forebay-bench-")  # their paths must be short
        self.servers, self.figures, self.quiet = [], Figures(), Quiet()

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        return path

    def program(self, name, *arguments):
        """The standard output of one of the programs here."""
        got = subprocess.run([os.path.join(OUT, "tests", "bench", name), *map(str, arguments)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=300)
        if got.returncode:
            raise Missing("%s %s: status %d %s" % (name, " ".join(map(str, arguments)), got.returncode, got.stdout))
        return got.stdout

    def load(self, dialect, address, conns, depth, *amount):
        return json.loads(self.program("bench_load", dialect, address, "-c", conns, "-d", depth, *amount))

    def try_start(self, kind, *arguments):
        """A baseline that is not there is missed loudly, and the figure goes on without it."""
        try:
            return kind(self, *arguments)
        except Missing as why:
            print("\nSKIPPED, a baseline: %s" % why, flush=True)
            return None

    def room(self, bytes_):
        free = shutil.disk_usage(self.dir).free
        if free < bytes_:
            raise Missing("%.1f GiB of disk are needed below %s, %.1f are free" % (
                bytes_ / 2 ** 30, self.dir, free / 2 ** 30))

    def close(self):
        for server in list(reversed(self.servers)):
            server.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)


# --- B1 ------------------------------------------------------------------------------

SHAPES = {  # name: (connections, in flight on each)
    "1 connection, one by one": (1, 1),
    "1 connection, 32 in flight": (1, 32),
    "64 connections, one by one": (64, 1),
    "64 connections, 16 in flight": (64, 16),
}
B1_GOALS = {  # times beanstalkd -f0
    "1 connection, 32 in flight": 4,
    "64 connections, one by one": 5,
    "64 connections, 16 in flight": 12,
}


def b1_rounds(bench):
    """{(who, shape, what): Series}"""
    got = {}

    def note(who, shape, result):
        for what in ("per_second", "p50_us", "p99_us", "max_us"):
            got.setdefault((who, shape, what), Series()).add(result[what])
    forebayd = Forebayd(bench, "b1")
    beanstalkd = bench.try_start(Beanstalkd, "b1-beanstalkd", "-f0")
    for _ in range(ROUNDS):
        bench.quiet.wait()
        note("disk", "", json.loads(bench.program("bench_fsync", bench.dir, "-t", 0.5)))
        for shape, (conns, depth) in SHAPES.items():
            bench.quiet.wait()
            note("forebayd", shape, bench.load("submit", forebayd.socket, conns, depth, "-t", 0.8))
            if beanstalkd:
                note("beanstalkd", shape, bench.load("put", beanstalkd.socket, conns, depth, "-t", 0.8))
    forebayd.stop()
    if beanstalkd:
        beanstalkd.stop()
    return lambda who, shape, what="per_second", scale=1: Series(
        *(value / scale for value in got.get((who, shape, what), Series()).values))


def b1(bench):
    bench.room(4 * 2 ** 30)
    got = b1_rounds(bench)
    disk = got("disk", "")
    rows = []
    for shape in SHAPES:
        ours, theirs = got("forebayd", shape), got("beanstalkd", shape)
        ratio = ours.over(theirs)
        goal = B1_GOALS.get(shape)
        rows.append((shape, ours, theirs, ratio, ours.over(disk),
                     least(ratio, goal, " x beanstalkd") if goal and theirs else None))
    bench.figures.table("B1", "durable submits a second, bodies of 1 KiB, acknowledged after the sync; "
                        "one fdatasync a job: %s a second" % disk,
                        ("", "forebayd", "beanstalkd -f0", "x beanstalkd", "x fdatasync"), rows)
    rows = []
    for shape in SHAPES:
        p50, p99 = got("forebayd", shape, "p50_us", 1e3), got("forebayd", shape, "p99_us", 1e3)
        syncs = got("forebayd", shape, "p50_us").over(got("disk", "", "p50_us"))
        goal = None
        if shape == "1 connection, one by one":
            goal = most(syncs, 2.2, " fdatasync at p50")
        elif shape == "64 connections, one by one":
            goal = most(p99, 12, " ms at p99")
        rows.append((shape, p50, p99, got("forebayd", shape, "max_us", 1e3), syncs,
                     got("beanstalkd", shape, "p50_us", 1e3), got("beanstalkd", shape, "p99_us", 1e3), goal))
    bench.figures.table("B1", "ms from submit to acknowledgement; one fdatasync: p50 %s, p99 %s" % (
        got("disk", "", "p50_us", 1e3), got("disk", "", "p99_us", 1e3)),
        ("", "p50", "p99", "most", "p50 in fdatasyncs", "beanstalkd p50", "p99"), rows)


# --- B2 ------------------------------------------------------------------------------

def b2(bench):
    api = FakeApi(bench)
    forebayd = Forebayd(bench, "b2", api.url)
    rows = []
    for transport in ("plain", "stream"):
        got = {}
        for _ in range(ROUNDS):
            bench.quiet.wait()
            result = json.loads(bench.program("bench_latency", forebayd.socket, api.url, transport, "-n", 500))
            for way, values in result.items():
                for what, value in values.items():
                    got.setdefault((way, what[:3]), Series()).add(value / 1e3)
        for way in ("framed", "library"):
            for what, limit in (("p50", 0.15), ("p99", 1)):
                ours, direct = got[way, what], got["direct", what]
                added = ours.minus(direct)
                rows.append(("%s, %s, %s" % (way, transport, what), direct, ours, added,
                             most(added, limit, " ms added") if way == "framed" else None))
    bench.figures.table("B2", "ms a small request takes, one at a time, ephemeral",
                        ("", "directly by libcurl", "through forebayd", "added"), rows)
    forebayd.stop()
    api.stop()


# --- B4 ------------------------------------------------------------------------------

WRK_SCRIPT = """wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["anthropic-version"] = "2023-06-01"
wrk.body = '%s'
"""


def wrk(bench, api, script):
    got = subprocess.run(["wrk", "-t1", "-c32", "-d1", "-s", script, api.url + "/v1/messages"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=DEADLINE).stdout
    if "Non-2xx" in got or "Requests/sec:" not in got:
        raise Missing("wrk: " + got)
    return float(got.split("Requests/sec:")[1].split()[0])


def message(size):
    text = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": ""}]}
    text["messages"][0]["content"] = "x" * (size - len(json.dumps(text)))
    return json.dumps(text)


def b4(bench):
    api = FakeApi(bench)
    forebayd = Forebayd(bench, "b4", api.url)
    names = {"job": "jobs, streamed upstream (default)", "plain-job": "jobs, plain upstream"}
    rates = {dialect: Series() for dialect in ("job", "plain-job", "post", "wrk")}
    p99, cpu = {dialect: Series() for dialect in names}, {}
    script = bench.file("post.lua", WRK_SCRIPT % message(1024)) if shutil.which("wrk") else None
    if not script:
        print("\nSKIPPED, a baseline: wrk is not installed (apt-get install wrk)", flush=True)
    for _ in range(ROUNDS):
        bench.quiet.wait()
        rates["post"].add(bench.load("post", api.port, 32, 1, "-t", 0.8)["per_second"])
        if script:
            rates["wrk"].add(wrk(bench, api, script))
        for dialect in names:
            bench.quiet.wait()
            b4_round(bench, forebayd, api, dialect, rates[dialect], p99[dialect], cpu)
    baseline = rates["wrk"] or rates["post"]
    bench.figures.table("B4", "jobs a second, submit to answer, durable, 1 KiB, 8 connections with 8 in flight each; "
                        "the API answers at once",
                        ("", "a second", "p99 ms", "x " + ("wrk" if script else "direct")), [
                            ("directly, bench_load", rates["post"], "", rates["post"].over(baseline), None),
                            ("directly, wrk -t1 -c32", rates["wrk"], "", "", None),
                            *((names[dialect], rates[dialect], p99[dialect], rates[dialect].over(baseline),
                               least(rates[dialect], 4000, " a second") if dialect == "job" else None)
                              for dialect in names)])
    bench.figures.table("B4", "where the time goes: microseconds of processor a job", ("", *names.values()), [
        (who, *(cpu.get((dialect, who), Series()) for dialect in names), None)
        for who in ("the loop", "the store's thread", "the fake API", "the load")])
    forebayd.stop()
    api.stop()


def b4_round(bench, forebayd, api, dialect, rate, p99, cpu):
    def used():
        daemon = cpu_of(forebayd.pid)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"the loop": daemon.get("forebayd", 0), "the store's thread": daemon.get("store", 0),
                "the fake API": sum(cpu_of(api.pid).values()), "the load": children.ru_utime + children.ru_stime}
    before, jobs = used(), 6000
    result = bench.load(dialect, forebayd.socket, 8, 8, "-n", jobs)
    rate.add(result["per_second"])
    p99.add(result["p99_us"] / 1e3)
    for who, seconds in used().items():
        cpu.setdefault((dialect, who), Series()).add((seconds - before[who]) * 1e6 / jobs)


# --- B5 and B6 -------------------------------------------------------------------------

class Crowd:
    """Many connections; a thread reads what comes and drops it."""

    def __init__(self, daemon, count):
        self.clients = [daemon.client(timeout=DEADLINE) for _ in range(count)]
        self.selector = selectors.DefaultSelector()
        for client in self.clients:
            self.selector.register(client.socket, selectors.EVENT_READ)
        self.ending = False
        self.thread = threading.Thread(target=self.drain)
        self.thread.start()

    def drain(self):
        while not self.ending:
            for key, _ in self.selector.select(0.1):
                if not key.fileobj.recv(65536):
                    self.selector.unregister(key.fileobj)

    def submit(self):
        """On each connection a job that is followed live."""
        for number_, client in enumerate(self.clients):
            text = json.loads(message(1024))
            text["messages"][0]["content"] += " %d" % number_
            client.start("submit", json.dumps(text).encode(), want="result", follow=True)

    def close(self):
        self.ending = True
        self.thread.join()
        for client in self.clients:
            client.socket.close()


def idle_memory(bench, rows):
    ours, own, theirs, their_own = Series(), Series(), Series(), Series()
    for _ in range(ROUNDS):
        forebayd = Forebayd(bench, "b5-idle")
        forebayd.client().request("status")
        ours.add(memory_of(forebayd.pid))
        own.add(memory_of(forebayd.pid, "RssAnon"))
        forebayd.stop()
        beanstalkd = shutil.which("beanstalkd") and Beanstalkd(bench, "b5-idle-beanstalkd", "-f0")
        if beanstalkd:
            theirs.add(memory_of(beanstalkd.pid))
            their_own.add(memory_of(beanstalkd.pid, "RssAnon"))
            beanstalkd.stop()
    rows.append(("idle", ours, theirs, most(ours, 10, " MiB")))
    rows.append(("  of that not pages of files (libraries)", own, their_own, None))


def crowd_memory(bench, rows, count=1000):
    """Connections, then a live stream on each."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    idle, live = Series(), Series()
    for _ in range(3):
        api = FakeApi(bench, ["always ttfb=20 drip=500 deltas=100 size=8K"])
        forebayd = Forebayd(bench, "b5-crowd", api.url, ["daemon.workers=%d" % count, "daemon.drain_timeout=0"])
        forebayd.client().request("status")
        before = memory_of(forebayd.pid)
        crowd = Crowd(forebayd, count)
        try:
            forebayd.client().request("status")
            connected = memory_of(forebayd.pid)
            idle.add(connected - before)
            crowd.submit()
            # The gate opens for so many at once as fast as the API answers.
            api.get("/_wait?in_flight=%d&timeout=%d" % (count, DEADLINE))
            time.sleep(3)  # a few pieces of each stream
            live.add(memory_of(forebayd.pid) - connected)
        finally:
            crowd.close()
            forebayd.stop()
            api.stop()
            shutil.rmtree(forebayd.state)
    rows.append(("+ 1,000 idle connections", idle, "-", most(idle, 8, " MiB")))
    rows.append(("+ 1,000 live streams on them", live, "-", most(live, 96, " MiB")))


def fill(bench, server, dialect):
    result = bench.load(dialect, server.socket, 16, 64, "-n", MANY)
    return Series(result["per_second"])


class Million:
    """Queues with a million jobs: B5 fills them, B6 starts on them again."""

    def __init__(self, bench):
        bench.room(6 * 2 ** 30)
        self.forebayd = Forebayd(bench, "million")
        self.rate = fill(bench, self.forebayd, "submit")
        self.memory = Series(memory_of(self.forebayd.pid))
        self.beanstalkd = bench.try_start(Beanstalkd, "million-beanstalkd", "-F")
        self.their_rate = self.their_memory = Series()
        if self.beanstalkd:
            self.their_rate = fill(bench, self.beanstalkd, "put")
            self.their_memory = Series(memory_of(self.beanstalkd.pid))


def million(bench):
    if not hasattr(bench, "million"):
        bench.million = Million(bench)
    return bench.million


def b5(bench):
    rows = []
    idle_memory(bench, rows)
    crowd_memory(bench, rows)
    full = million(bench)
    rows.append(("1,000,000 jobs of 1 KiB queued", full.memory, full.their_memory, most(full.memory, 64, " MiB")))
    bench.figures.table("B5", "MiB of memory (VmRSS); the million was put in at %s a second, "
                        "beanstalkd -F (no sync) at %s" % (full.rate, full.their_rate),
                        ("", "forebayd", "beanstalkd"), rows)


def starts(bench, kind, name, count, *options, fresh=False):
    """Milliseconds to READY; fresh: each time without a state."""
    took = Series()
    for _ in range(count):
        bench.quiet.wait()
        server = kind(bench, name, *options)
        took.add(server.ready_ms)
        server.stop()
        if fresh:
            shutil.rmtree(server.state)
    return took


def b6(bench):
    there = shutil.which("beanstalkd")
    new = starts(bench, Forebayd, "b6-new", ROUNDS, fresh=True)
    empty = starts(bench, Forebayd, "b6-empty", ROUNDS + 1)
    empty.values.pop(0)  # that one was new
    theirs = starts(bench, Beanstalkd, "b6-beanstalkd", ROUNDS, "-f0") if there else Series()
    full = million(bench)
    full.forebayd.stop()
    queued = starts(bench, Forebayd, "million", ROUNDS)
    replay = Series()
    if full.beanstalkd:
        full.beanstalkd.stop()
        replay = starts(bench, Beanstalkd, "million-beanstalkd", 1, "-F")
    bench.figures.table("B6", "ms from exec to READY=1, warm; beanstalkd: to its first answer", (
        "", "forebayd", "beanstalkd"), [
            ("first start, makes the database", new, "-", None),
            ("empty", empty, theirs, most(empty, 50, " ms")),
            ("1,000,000 queued", queued, replay, most(queued, 500, " ms"))])


# --- B7, B8, B10 ------------------------------------------------------------------------

def foreign(bench, name, program):
    """A program that prints its own table."""
    bench.quiet.wait()
    print("\n%s  %s" % (name, program))
    print("\n".join("  " + line for line in bench.program(program).splitlines()), flush=True)


def b7(bench):
    foreign(bench, "B7", "bench_scanner")


def b8(bench):
    foreign(bench, "B8", "bench_gate")


def size_of(path):
    return sum(os.lstat(os.path.join(dir, name)).st_size for dir, _, names in os.walk(path) for name in names
               if not os.path.islink(os.path.join(dir, name)))


def b10(bench):
    root = os.path.join(bench.dir, "root")
    made = subprocess.run(["make", "-C", ROOT, "-s", "install", "OUT=" + OUT, "DESTDIR=" + root, "PREFIX=/usr"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    if made.returncode:
        raise Missing("make install: " + made.stdout)
    before = size_of(root)
    for dir, _, names in os.walk(root):
        for path in (os.path.join(dir, name) for name in names):
            if not os.path.islink(path) and open(path, "rb").read(4) in (b"\x7fELF", b"!<ar"):
                subprocess.run(["strip", "--strip-debug" if path.endswith(".a") else "--strip-unneeded", path],
                               check=True)
    daemon = Series(os.path.getsize(os.path.join(root, "usr/sbin/forebayd")) / KIB)
    bench.figures.table("B10", "KiB; Helicone's gateway is 30 MB, Bifrost 80 MB and more", ("", "forebay"), [
        ("forebayd, stripped", daemon, most(daemon, 600, " KiB")),
        ("all that make install puts down, stripped", Series(size_of(root) / KIB),
         most(Series(size_of(root) / KIB), 1536, " KiB")),
        ("the same with debug information", Series(before / KIB), None)])


ALL = {"B1": b1, "B2": b2, "B4": b4, "B5": b5, "B6": b6, "B7": b7, "B8": b8, "B10": b10}


def asked_to_end(_number, _frame):
    sys.exit("bench: asked to end")


def main(names):
    unknown = [name for name in names if name.upper() not in ALL]
    if unknown:
        sys.exit("bench: no such figure: %s; there are %s" % (", ".join(unknown), " ".join(ALL)))
    signal.signal(signal.SIGTERM, asked_to_end)
    start, bench, failed = time.monotonic(), Bench(), False
    try:
        machine(bench.dir)
        for name in [name.upper() for name in names] or ALL:
            begun = time.monotonic()
            try:
                ALL[name](bench)
                print("  (%.0f s)" % (time.monotonic() - begun))
            except (Missing, OSError, subprocess.SubprocessError) as why:
                failed = True
                print("\n%s  NOT MEASURED: %s" % (name, why), flush=True)
    finally:
        bench.close()
    print("\ngoals: %d met, %d missed%s" % (bench.figures.met, len(bench.figures.missed), "".join(
        "\n  missed: " + goal for goal in bench.figures.missed)))
    print("%.0f s; %s" % (time.monotonic() - start, bench.quiet))
    sys.exit(failed)


if __name__ == "__main__":
    main(sys.argv[1:])
