"""What stories share: a fake API, daemons, the command, clients, and how to wait for them.

    with Story() as story:
        api = story.fakeapi("p=0.5")
        daemon = story.daemon(api, "queue.attempts=2")
        equal("42\\n", daemon.cli("ask", "[echo:42]").stdout)

Nothing here sleeps: a story waits for a readiness message, an event or a count, with a deadline.
Everything lives in a directory of its own. When a story fails, the ends of the daemons' logs and
of the fake API's transcript are printed; when it succeeds, every daemon must also end well when
asked to, without a complaint of a sanitizer, and no log may hold the key.
"""
import contextlib, ctypes, http.client, json, os, re, secrets, select, shutil, signal, socket
import subprocess, sys, tempfile, threading, time, traceback, urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import forebay_client
from forebay_client import CANCEL, CHUNK, DATA, END, ERROR, EVENT, REPLY, ForebayError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(ROOT, os.environ.get("OUT") or "out")
SLOWER = 5 if os.environ.get("SAN") else 1
DEADLINE = 20 * SLOWER
LONG = os.environ.get("LONG") == "1"
NOBODY = 65534
MODEL = "claude-sonnet-5-5"
PR_SET_PDEATHSIG = 1

# A sanitizer's complaint; ThreadSanitizer and the others all say one of these.
COMPLAINT = re.compile(rb"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:")


class Failure(Exception):
    """A promise was broken: its text says which."""


def equal(want, got, what=""):
    if want != got:
        raise Failure("%s\n  wanted %r\n  got    %r" % (what or "not equal", want, got))


def check(condition, what):
    if not condition:
        raise Failure(what)


def contains(want, got, what=""):
    if want not in got:
        raise Failure("%s\n  wanted something with %r\n  got %r" % (what or "missing", want, got))


@contextlib.contextmanager
def refused(error, *words):
    """The block must end in an ERROR with this name, whose message has these words."""
    try:
        yield
    except ForebayError as got:
        equal(error, got.error, "another error: %s" % got)
        for word in words:
            contains(word, got.args[0]["message"])
    else:
        raise Failure("there was no error, but it should have been %s" % error)


def skip(reason):
    print("SKIPPED: " + reason)
    sys.exit(77)


def body(text="Hello", model=MODEL, max_tokens=64, **more):
    """A Messages request, as bytes."""
    message = {"role": "user", "content": text}
    return json.dumps({"model": model, "max_tokens": max_tokens, "messages": [message], **more}).encode()


def text_of(answer):
    """The words of a message as JSON."""
    return "".join(block.get("text", "") for block in json.loads(answer)["content"])


def clock(seconds=DEADLINE):
    """A function that says how many seconds are left, and fails when none are."""
    end = time.monotonic() + seconds

    def left(doing="waiting"):
        rest = end - time.monotonic()
        if rest <= 0:
            raise Failure("%s took longer than %d s" % (doing, seconds))
        return rest
    return left


def eventually(happened, what, seconds=DEADLINE):
    """For the few things that nobody tells: look again and again until happened() is true."""
    left, never = clock(seconds), threading.Event()
    while not happened():
        left("until " + what)
        never.wait(0.01)


@contextlib.contextmanager
def as_user(uid):
    """Whoever connects inside is this user to the daemon, in its own group alone."""
    groups = os.getgroups()
    os.setgroups([])
    os.setresgid(uid, uid, 0)
    os.setresuid(uid, uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


class Client(forebay_client.Client):
    """The client of PROTOCOL.md, with what only stories want."""

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.reader.close()
        self.socket.close()

    def until(self, stream, wanted):
        """Read a stream until wanted(type, value) is true of a frame; returns that value."""
        for kind, value in self.answer(stream):
            if wanted(kind, value):
                return value
        raise Failure("stream %d ended too early" % stream)

    def collect(self, stream):
        """A followed stream to its end: (reply, data, events, live); live is the bytes of the
        CHUNKs, piece by piece, without those that a restart made void."""
        reply, data, events, live = None, b"", [], []
        for kind, value in self.answer(stream):
            if kind == EVENT:
                events.append(value)
                if value.get("restart"):
                    live.clear()
            elif kind == CHUNK:
                live.append(value)
            elif kind == REPLY:
                reply = value
            elif kind == DATA:
                data += value
        return reply, data, events, live

    def cancel_stream(self, stream):
        self.send(CANCEL, 0, stream)
        del self.kept[stream]

    def until_state(self, id, *states):
        """Follow a job until it is in one of these states."""
        stream = self.start("follow", id=id)
        self.until(stream, lambda kind, value: kind in (EVENT, REPLY) and value.get("state") in states)
        self.cancel_stream(stream)

    def until_status(self, wanted):
        """Watch the daemon until wanted(status) is true; returns that status."""
        stream, left = self.start("watch", interval_ms=100), clock()

        def seen(kind, value):
            left("waiting for a status")
            return kind == EVENT and wanted(value)
        status = self.until(stream, seen)
        self.cancel_stream(stream)
        return status

    def rows(self, verb, **arguments):
        """The lines of list or show."""
        reply, data = self.request(verb, **arguments)
        return [json.loads(line) for line in data.split(b"\n")[:reply["rows"]]]

    def show(self, id):
        """A job and its attempts."""
        job, *attempts = self.rows("show", id=id)
        return job, attempts

    def end_of(self, id):
        """Wait for a job: (reply, data), those of result."""
        return self.finish(self.start("follow", id=id))

    def text(self, id):
        """Wait for a job; its answer's words. It must have succeeded."""
        reply, data = self.end_of(id)
        equal("succeeded", reply["state"], "job %d: %s" % (id, reply))
        return text_of(data)


class Process:
    """A program whose output goes to a file; it dies with the story."""

    def __init__(self, story, name, command, env=None, pass_fds=(), prefix=()):
        self.name, self.log_path = name, os.path.join(story.dir, name + ".log")
        self.log = open(self.log_path, "ab")
        # Sanitizers need PATH to find their symbolizer, and their options.
        kept = {key: value for key, value in os.environ.items()
                if key in ("PATH", "LANG", "TZ") or key.endswith("SAN_OPTIONS")}
        self.process = subprocess.Popen(
            [*prefix, *command], env={**kept, "HOME": story.dir, **(env or {})}, pass_fds=pass_fds,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=story.dir,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        self.pid = self.process.pid

    def running(self):
        return self.process.poll() is None

    def wait(self, seconds=DEADLINE):
        """Its status, when it has ended."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure("%s did not end within %d s" % (self.name, seconds))

    def kill(self, number=signal.SIGKILL):
        if self.running():
            self.process.send_signal(number)
        return self.wait()

    def log_text(self):
        with open(self.log_path, "rb") as file:
            return file.read()

    def log_tail(self, lines=40):
        return b"\n".join(self.log_text().splitlines()[-lines:]).decode(errors="replace")


class FakeApi(Process):
    """The fake Claude API, see tests/fakeapi/README.md."""

    def __init__(self, story, weather, arguments):
        self.transcript = os.path.join(story.dir, "fakeapi.jsonl")
        ready, ours = os.pipe()
        super().__init__(story, "fakeapi",
                         [os.path.join(OUT, "fakeapi"), "--key", story.key, "--log", self.transcript,
                          "--log-headers", "--keep-bodies", "64", "--ready-fd", str(ours),
                          *arguments, *([weather] if weather else [])], pass_fds=(ours,))
        os.close(ours)
        with os.fdopen(ready) as urls:
            check(select.select([urls], [], [], DEADLINE)[0], "the fake API does not start")
            self.url = urls.readline().strip()
        check(self.url, "the fake API did not start:\n" + self.log_tail())
        self.address = urllib.parse.urlsplit(self.url)

    def ask(self, method, path, text=None, timeout=DEADLINE):
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=timeout)
        try:
            connection.request(method, path, text)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path):
        status, data = self.ask("GET", path)
        equal(200, status, "%s: %r" % (path, data))
        return json.loads(data)

    def control(self, command):
        """A weather text, or a dictionary: see its README."""
        text = command if isinstance(command, str) else json.dumps(command)
        status, data = self.ask("POST", "/_control", text)
        equal(200, status, "/_control %s: %r" % (text, data))

    def stats(self):
        return self.get("/_stats")

    def tags(self):
        return self.get("/_tags")

    def entries(self):
        """Its log: everything that arrived, ended or not, in order."""
        status, data = self.ask("GET", "/_log")
        equal(200, status)
        return [json.loads(line) for line in data.splitlines()]

    def attempts(self, tag):
        return [entry for entry in self.entries() if entry.get("tag") == tag]

    def until(self, seconds=DEADLINE, **counts):
        """Wait until its counts are at least these, as in until(arrivals=3, tag="a")."""
        query = urllib.parse.urlencode({**counts, "timeout": seconds})
        status, data = self.ask("GET", "/_wait?" + query, timeout=seconds + 5)
        if status != 200:
            raise Failure("the fake API waited for %s in vain:\n  %s" % (counts, data.decode()))
        return json.loads(data)


class Daemon(Process):
    """forebayd with a state directory of its own."""

    def __init__(self, story, api, settings, name, config, key, arguments, env, prefix, ready):
        self.story, self.api, self.arguments = story, api, arguments
        self.state = os.path.join(story.dir, name + ".state")
        self.socket = os.path.join(story.dir, name + ".sock")
        self.notify_path = os.path.join(story.dir, name + ".notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.notify_path)
        self.notices, self.heard, self.gone, self.ears, self.clients = [], threading.Condition(), False, None, []
        os.makedirs(self.state, 0o700, exist_ok=True)
        command = [os.path.join(OUT, "forebayd"), "--state", self.state, "--socket", self.socket]
        if api:
            command += ["--upstream", api if isinstance(api, str) else api.url]
        command += ["-c", config or story.file("empty.conf", "")]  # never the host's own
        if key:
            command += ["--set", "upstream.key_file=" + story.key_file]
        for setting in settings:
            command += ["--set", setting]
        super().__init__(story, name, [*command, *arguments],
                         {"NOTIFY_SOCKET": self.notify_path, **(env or {})}, prefix=prefix)
        self.ears = threading.Thread(target=self.hear, args=(os.pidfd_open(self.pid),), daemon=True)
        self.ears.start()
        if ready:
            self.until_notice("READY=1")

    def hear(self, pidfd):
        """A thread: what it tells the service manager, until it has ended. Somebody has to read
        at once: whoever notifies blocks when nobody does."""
        ended = False
        while not ended:
            ended = self.notify not in select.select([self.notify, pidfd], [], [])[0]
            with self.heard:
                if ended:
                    self.gone = True
                else:
                    self.notices += self.notify.recv(65536).decode().split("\n")
                self.heard.notify_all()
        os.close(pidfd)

    def until_notice(self, wanted, seconds=DEADLINE):
        """Wait for a line beginning so that it tells the service manager; all are kept in notices."""
        left = clock(seconds)
        with self.heard:
            while not any(line.startswith(wanted) for line in self.notices):
                check(not self.gone, "%s ended before it said %s" % (self.name, wanted))
                self.heard.wait(left("waiting for " + wanted))

    def forget_notices(self):
        with self.heard:
            self.notices.clear()

    def client(self, uid=None, timeout=DEADLINE):
        if uid is None:
            client = Client(self.socket, timeout)
        else:
            os.chmod(self.socket, 0o666)  # stories are about what happens behind the door
            with as_user(uid):
                client = Client(self.socket, timeout)
        self.clients.append(client)
        return client

    def command(self, *arguments):
        return [os.path.join(OUT, "forebay"), "--socket", self.socket, *map(str, arguments)]

    def cli(self, *arguments, stdin=None, status=0, seconds=DEADLINE):
        """Run the command `forebay`, which must end with this status (None: any)."""
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        got = subprocess.run(self.command(*arguments), input=stdin or b"", capture_output=True,
                             timeout=seconds, cwd=self.story.dir, env=self.story.env())
        got.stdout, got.stderr = got.stdout.decode(), got.stderr.decode()
        if status is not None and got.returncode != status:
            raise Failure("forebay %s: status %d, wanted %d\n  stdout %r\n  stderr %s" % (
                " ".join(map(str, arguments)), got.returncode, status, got.stdout, got.stderr))
        return got

    def popen(self, *arguments, **options):
        """The command in the background, with pipes."""
        return subprocess.Popen(self.command(*arguments), stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.story.dir,
                                env=self.story.env(), **options)

    def stop(self, number=signal.SIGTERM, seconds=DEADLINE):
        """Ask it to end, and it must end well."""
        if self.running():
            self.process.send_signal(number)
        equal(0, self.wait(seconds), self.name + " did not end well")

    def close(self):
        """When it has ended: forget what we had of it."""
        for client in self.clients:
            with contextlib.suppress(OSError, ValueError):
                client.close()
        self.clients = []
        if self.ears:
            self.ears.join()
        self.notify.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.notify_path)

    def again(self, *settings, **options):
        """Start the same daemon once more, after stop() or kill()."""
        self.close()
        options = {"config": None, **options}
        return self.story.daemon(self.api, *settings, name=self.name, **options)


class Story:
    def __init__(self):
        self.key = "sk-ant-api03-" + secrets.token_urlsafe(40)
        self.processes, self.failed = [], False

    def __enter__(self):
        # Asked to end (the deadline of run.py): fail, and show the logs.
        signal.signal(signal.SIGTERM, self.interrupted)
        self.dir = tempfile.mkdtemp(prefix="forebay-")
        os.chmod(self.dir, 0o755)
        self.key_file = self.file("key", self.key + "\n", 0o600)
        return self

    @staticmethod
    def interrupted(_number, _frame):
        raise Failure("the deadline passed here")

    def file(self, name, text, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path, "w" if isinstance(text, str) else "wb") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def env(self):
        """What the command sees of the environment."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("FOREBAY_")}
        return {**kept, "LC_ALL": "C.UTF-8", "HOME": self.dir, "XDG_STATE_HOME": self.dir}

    def fakeapi(self, weather="", *arguments):
        self.api = FakeApi(self, weather, arguments)
        self.processes.append(self.api)
        return self.api

    def daemon(self, api, *settings, name="forebayd", config=None, key=True, arguments=(), env=None,
               prefix=(), ready=True):
        """Start forebayd; settings are SECTION.KEY=VALUE. It is ready when this returns."""
        daemon = Daemon.__new__(Daemon)
        self.processes = [process for process in self.processes if process.name != name] + [daemon]
        daemon.name, daemon.process = name, None  # enough to be shown, if it does not start
        daemon.log_path = os.path.join(self.dir, name + ".log")
        daemon.__init__(self, api, settings, name, config, key, arguments, env, prefix, ready)
        return daemon

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.end_well()
        except Exception as failure:
            kind, error, trace = type(failure), failure, failure.__traceback__
        if kind in (SystemExit, KeyboardInterrupt) or kind is None:
            self.clean_up()
            return False
        try:
            self.show(kind, error, trace)
        finally:
            self.clean_up()
        sys.exit(1)

    def end_well(self):
        for process in self.processes:
            if isinstance(process, Daemon):
                if process.running():
                    process.stop()
                log = process.log_text()
                check(not COMPLAINT.search(log), process.name + ": a sanitizer complains")
                check(self.key.encode() not in log, "the key is in the log of " + process.name)

    def show(self, kind, error, trace):
        traceback.print_exception(kind, error, trace, file=sys.stdout)
        for process in self.processes:
            if isinstance(process, Daemon):
                print("--- the end of the log of %s" % process.name)
                print(process.log_tail() if os.path.exists(process.log_path) else "(none)")
            elif isinstance(process, FakeApi) and os.path.exists(process.transcript):
                print("--- the end of the fake API's transcript")
                for line in open(process.transcript).read().splitlines()[-12:]:
                    entry = json.loads(line)
                    entry.pop("headers", None)
                    print(json.dumps(entry))
        sys.stdout.flush()

    def clean_up(self):
        for process in self.processes:
            if process.process:
                process.kill()
                process.log.close()
            if isinstance(process, Daemon) and hasattr(process, "notices"):
                process.close()
        shutil.rmtree(self.dir, ignore_errors=True)
