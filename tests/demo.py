#!/usr/bin/env python3
"""make run: real prompts through a real daemon, while you watch.

Without ANTHROPIC_API_KEY the fake API of the tests answers, in the middle of a storm of 529; with it,
one small call goes to the real one. Nothing is installed, and everything is removed at the end.
"""
import json, os, secrets, shutil, signal, subprocess, sys, tempfile, threading, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(ROOT, os.environ.get("OUT") or "out")
sys.path.insert(0, os.path.join(ROOT, "tests", "stories"))
import forebay_client

# For 6 s nobody gets through, then for 5 s seven of ten requests are refused, then all is well.
STORM = "always refuse=150 ttfb=300 gen=1s; 6s dark; 5s p=0.7; calm"
MODEL, REAL_MODEL = "claude-sonnet-5-5", "claude-haiku-5-5"
started = time.monotonic()


def say(text, who="demo"):
    print("%5.1f s  %-12s %s" % (time.monotonic() - started, who, text), flush=True)


def body(text):
    return json.dumps({"model": MODEL, "max_tokens": 200,
                       "messages": [{"role": "user", "content": text}]}).encode()


class Demo:
    def __init__(self, dir):
        self.dir, self.processes = dir, []
        self.socket = os.path.join(dir, "forebay.sock")
        self.env = {**os.environ, "FOREBAY_SOCKET": self.socket, "HOME": dir, "XDG_STATE_HOME": dir}

    def start(self, name, *command, env=None, **options):
        log = open(os.path.join(self.dir, name + ".log"), "wb")
        process = subprocess.Popen([os.path.join(OUT, name), *command], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, env=env or self.env, **options)
        self.processes.append(process)
        return process

    def fakeapi(self):
        key = os.path.join(self.dir, "key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("demo-" + secrets.token_hex(16))
        ready, ours = os.pipe()
        self.start("fakeapi", "--ready-fd", str(ours), "--key", open(key).read(), STORM, pass_fds=(ours,))
        os.close(ours)
        url = os.fdopen(ready).readline().strip()
        say("no ANTHROPIC_API_KEY here: the fake API of the tests answers at " + url)
        say("its weather: for 6 s every request gets 529, for 5 s seven of ten do, then calm")
        return ["--upstream", url, "--set", "upstream.key_file=" + key]

    def forebayd(self, *arguments):
        state = os.path.join(self.dir, "state")
        os.mkdir(state, 0o700)
        config = os.path.join(self.dir, "forebayd.conf")
        open(config, "w").close()
        say("forebayd --socket %s --state %s" % (self.socket, state))
        daemon = self.start("forebayd", "-c", config, "--socket", self.socket, "--state", state, *arguments)
        while daemon.poll() is None:
            try:
                return forebay_client.Client(self.socket)
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.02)
        sys.exit("forebayd did not start:\n" + open(os.path.join(self.dir, "forebayd.log")).read())

    def forebay(self, *arguments, stdin=b""):
        got = subprocess.run([os.path.join(OUT, "forebay"), *arguments], input=stdin, env=self.env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90)
        if got.returncode:
            sys.exit("forebay %s: status %d: %s" % (
                " ".join(arguments), got.returncode, got.stderr.decode().strip()))
        return got.stdout.decode().strip()

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()


def short(answer):
    line = " ".join(answer.split())
    return line if len(line) < 90 else line[:87] + "..."


def ask(demo, answers):
    """A person at a terminal."""
    for question in ("Why do dams have a forebay?", "And why does it not overflow?"):
        say("asks: " + question, "forebay ask")
        answers.append(demo.forebay("ask", "-m", MODEL, question))
        say("answer: " + short(answers[-1]), "forebay ask")


def program(demo, answers):
    """A program with five prompts at once on one connection."""
    client = forebay_client.Client(demo.socket, 90)
    ids = [client.submit(body("Name river number %d." % i)) for i in range(5)]
    say("five prompts, acknowledged as jobs %s: on disk" % ", ".join(map(str, ids)), "python")
    for id in ids:
        reply, data = client.finish(client.start("follow", id=id))
        answers.append("".join(block.get("text", "") for block in json.loads(data)["content"]))
        say("job %d, attempts %d: %s" % (id, len(client.request("show", id=id)[1].splitlines()) - 1,
                                         short(answers[-1])), "python")


def script(demo, answers):
    """A cron job: submit now, fetch later."""
    ids = [demo.forebay("submit", "-l", "nightly", "-", stdin=body("Summarize report %d." % i)) for i in range(4)]
    say("four jobs: %s; now waits for them" % " ".join(ids), "cron job")
    demo.forebay("wait", *ids)
    answers += [demo.forebay("result", id) for id in ids]
    say("all four done, the last: " + short(answers[-1]), "cron job")


def show_gate(client, done):
    """The gate in its own words, whenever they change much."""
    before = None
    while not done.wait(0.25):
        gates = [gate for gate in client.request("gates")[0]["gates"] if gate["name"] == MODEL]
        if gates and (gates[0]["weather"], int(time.monotonic() - started)) != before:
            before = (gates[0]["weather"], int(time.monotonic() - started))
            say(gates[0]["words"], "gate")


def storm(demo, client):
    say("three programs begin at once; none of them knows how to retry")
    lists, failures, done = ([], [], []), [], threading.Event()

    def run(function, answers):
        try:
            function(demo, answers)
        except BaseException as error:
            failures.append(error)
    threads = [threading.Thread(target=run, args=pair) for pair in zip((ask, program, script), lists)]
    watcher = threading.Thread(target=show_gate, args=(client, done))
    for thread in [*threads, watcher]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    if failures:
        sys.exit("demo: %s" % failures[0])
    metrics = client.request("stats")[0]["metrics"]
    say("%d answers, none failed; %d requests were sent, %d refusals with 529 were absorbed" % (
        sum(map(len, lists)), metrics["attempts_total"], metrics["attempts_overloaded_total"]))


def real(demo, client):
    question = "In one sentence: what is the forebay of a dam?"
    say("ANTHROPIC_API_KEY is set: one small call to the real API, %s, 64 tokens" % REAL_MODEL)
    say("asks: " + question, "forebay ask")
    try:
        say("answer: " + demo.forebay("ask", "-m", REAL_MODEL, "--max-tokens", "64", "-t", "60s", question),
            "forebay ask")
    except SystemExit:
        print("\nNo answer within a minute. This is why:\n" + demo.forebay("show", "@last"), flush=True)
        raise


def main():
    have_key = bool(os.environ.get("ANTHROPIC_API_KEY"))
    dir = tempfile.mkdtemp(prefix="forebay-demo-")
    demo = Demo(dir)
    try:
        client = demo.forebayd() if have_key else demo.forebayd(*demo.fakeapi())
        (real if have_key else storm)(demo, client)
        print("\n$ forebay status\n" + demo.forebay("status"), flush=True)
        print("\n$ forebay list -n 5\n" + demo.forebay("list", "-n", "5"), flush=True)
    finally:
        demo.close()
        shutil.rmtree(dir, ignore_errors=True)
    print()
    say("stopped, everything removed")


if __name__ == "__main__":
    main()
