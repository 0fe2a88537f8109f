"""What the crash tests share: a scene that is kept when it fails, client processes, and a client
that survives restarts of the daemon.

A client process writes what it was told, a JSON line at a time, to a file of its own: that is what
the daemon is held to afterwards. A line is written as soon as the frame was read.
"""
import argparse, contextlib, ctypes, hashlib, json, multiprocessing, os, random, shutil, signal, sqlite3
import subprocess, sys, time, traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "stories"))
from lib import CHUNK, DATA, END, ERROR, EVENT, PR_SET_PDEATHSIG, REPLY, SLOWER  # noqa: F401
from lib import Client, Daemon, Failure, ForebayError, Story, body, check, clock, equal, text_of  # noqa: F401

LONG = os.environ.get("LONG") == "1"
MODELS = ("claude-sonnet-5-5", "claude-haiku-5-5")
FINAL = ("succeeded", "failed", "canceled", "expired")
STATES = ("queued", "delayed", "running", "batched") + FINAL


def arguments(doc, **extra):
    """--seed and what the test has besides; its usage is the test's own text."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    for name, default in extra.items():
        parser.add_argument("--" + name, type=type(default), default=default)
    return parser.parse_args()


class Scene(Story):
    """A story whose directory is kept, and named, when it fails."""

    def show(self, kind, error, trace):
        self.failed = True
        super().show(kind, error, trace)
        for process in self.processes:
            if isinstance(process, Daemon) and process.process and process.running() and shutil.which("gdb"):
                print("--- where %s is" % process.name)
                got = subprocess.run(["gdb", "-p", str(process.pid), "-batch", "-ex", "thread apply all bt 30"],
                                     stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
                print("\n".join(line for line in got.stdout.decode(errors="replace").splitlines()
                                if line.startswith(("#", "Thread"))))

    def clean_up(self):
        if self.failed:
            for process in self.processes:
                if process.process:
                    process.kill()
            kept = self.dir + ".failed"
            shutil.copytree(self.dir, kept, symlinks=True,
                            ignore=lambda _dir, names: [name for name in names if name.endswith((".sock", ".notify"))])
            print("--- everything is kept in " + kept)
        super().clean_up()


class Worker:
    """A client in a process of its own: function(told, *arguments), where told(...) writes a line."""

    def __init__(self, scene, name, function, *arguments):
        self.name = name
        self.told_path = os.path.join(scene.dir, name + ".told")
        self.error_path = os.path.join(scene.dir, name + ".error")
        self.process = multiprocessing.get_context("fork").Process(
            target=self.run, args=(function, arguments), daemon=True)
        self.process.start()

    def run(self, function, arguments):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            with open(self.told_path, "w", buffering=1) as file:
                function(lambda **fact: file.write(json.dumps(fact) + "\n"), *arguments)
        except BaseException:
            with open(self.error_path, "w") as file:
                traceback.print_exc(file=file)
            os._exit(1)
        os._exit(0)

    def why(self):
        with contextlib.suppress(FileNotFoundError), open(self.error_path) as file:
            return file.read()
        return "status %s" % self.process.exitcode

    def ended_badly(self):
        return self.process.exitcode not in (None, 0)

    def join(self, seconds):
        self.process.join(seconds)
        check(self.process.exitcode is not None, "the client %s did not finish within %d s" % (self.name, seconds))
        check(self.process.exitcode == 0, "the client %s failed:\n%s" % (self.name, self.why()))

    def told(self):
        with open(self.told_path) as file:
            return [json.loads(line) for line in file]


class Patient:
    """A client that connects again, and repeats what had no answer, for as long as it takes."""

    def __init__(self, path, patience=60 * SLOWER):
        self.path, self.patience, self.client = path, patience, None

    def connect(self):
        left = clock(self.patience)
        while self.client is None:
            try:
                self.client = Client(self.path, timeout=self.patience)
            except TimeoutError:
                raise Failure("forebayd does not greet within %d s" % self.patience)
            except OSError:
                time.sleep(min(0.005, left("reaching forebayd")))
        return self.client

    def drop(self):
        if self.client:
            self.client.socket.close()
        self.client = None

    def persist(self, talk):
        """talk(client) until it gets through; a break or a restart is no answer."""
        left = clock(self.patience)
        while True:
            try:
                return talk(self.connect())
            except TimeoutError:
                raise Failure("forebayd does not answer within %d s" % self.patience)
            except OSError:
                self.drop()
            except ForebayError as error:
                if error.error != "draining":
                    raise
                self.drop()
                time.sleep(0.01)
            left("getting an answer")

    def request(self, verb, body=None, **arguments):
        return self.persist(lambda client: client.request(verb, body, **arguments))

    def submit_all(self, jobs, acknowledged):
        """Pipeline jobs {key: (body, options)}; acknowledged(key, reply) for each as it comes."""
        waiting = dict(jobs)

        def talk(client):
            streams = {client.start("submit", data, key=key, **options): key
                       for key, (data, options) in waiting.items()}
            while streams:
                kind, _, stream, payload = client.read()
                if kind == REPLY:
                    key = streams.pop(stream)
                    acknowledged(key, json.loads(payload))
                    del waiting[key]
                elif kind == ERROR:
                    raise ForebayError(json.loads(payload))
        self.persist(talk)


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def all_rows(client, **filter):
    """Every row of list, page by page."""
    rows, after = [], {}
    while True:
        reply, data = client.request("list", limit=1000, **filter, **after)
        rows += [json.loads(line) for line in data.splitlines()]
        if "next" not in reply:
            return rows
        after = {"after_id": reply["next"]}


def check_database(path):
    """What must hold of a database at rest, whatever happened before."""
    database = sqlite3.connect(path)
    equal([("ok",)], database.execute("PRAGMA quick_check").fetchall(), "quick_check of " + path)

    def none(what, sql):
        rows = database.execute(sql + " LIMIT 5").fetchall()
        check(not rows, "the database has %s: %s" % (what, rows))
    columns = " UNION ALL ".join("SELECT id, %d AS state, %s AS n FROM lane" % (i, name)
                                 for i, name in enumerate(STATES))
    none("lanes whose counts are wrong (lane, state, counted, are)",
         "SELECT c.id, c.state, c.n, (SELECT count(*) FROM job WHERE job.lane = c.id AND job.state = c.state) AS k "
         "FROM (%s) c WHERE c.n <> k" % columns)
    none("lanes whose bytes are wrong",
         "SELECT id, bytes, (SELECT ifnull(sum(body_len), 0) FROM job WHERE lane = lane.id AND state < 4) AS k "
         "FROM lane WHERE bytes <> k")
    none("jobs without a lane", "SELECT id FROM job WHERE lane NOT IN (SELECT id FROM lane)")
    none("unfinished jobs without a body",
         "SELECT id FROM job WHERE state < 4 AND body NOT IN (SELECT id FROM body)")
    none("answers without their bytes",
         "SELECT job FROM result WHERE body IS NOT NULL AND body NOT IN (SELECT id FROM body)")
    none("succeeded jobs without an answer",
         "SELECT id FROM job WHERE state = 4 AND flags & 1 = 0 AND id NOT IN (SELECT job FROM result)")
    none("results of no job", "SELECT job FROM result WHERE job NOT IN (SELECT id FROM job)")
    none("attempts of no job", "SELECT job FROM attempt WHERE job NOT IN (SELECT id FROM job)")
    none("a body shorter than it says",
         "SELECT id, len FROM body WHERE data IS NOT NULL AND length(data) <> len")
    none("chunks shorter than their body says",
         "SELECT id, len, (SELECT ifnull(sum(length(data)), 0) FROM chunk "
         "WHERE chunk.id >= 4096 * body.id AND chunk.id < 4096 * body.id + 4096) AS k "
         "FROM body WHERE data IS NULL AND len <> k")
    database.close()


def check_copy(state, to):
    """The same of a daemon's directory as a crash left it, without touching it."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(state, to)
    path = os.path.join(to, "forebay.db")
    if os.path.exists(path) and os.path.getsize(path) > 0:
        check_database(path)
    shutil.rmtree(to)


def seeded(*words):
    return random.Random(":".join(map(str, words)))


def finish(name, begun, text):
    print("%s: %s, %.1f s" % (name, text, time.monotonic() - begun), flush=True)
