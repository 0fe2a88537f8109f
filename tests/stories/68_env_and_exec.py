#!/usr/bin/env python3
"""`forebay exec` and `forebay env`: a program that knows only the API's own variables goes through
the daemon, without a key, and keeps its status and its signals."""
import json, os, shutil, signal, socket, subprocess, sys
from lib import DEADLINE, MODEL, OUT, Story, body, check, contains, equal

FOREBAY = os.path.join(OUT, "forebay")

# What an unmodified program does with its environment, as Claude Code does it.
PROGRAM = r"""
import http.client, json, os, socket, sys, urllib.parse
base = urllib.parse.urlsplit(os.environ["ANTHROPIC_BASE_URL"])
connection = http.client.HTTPConnection(base.hostname, base.port)
if "ANTHROPIC_UNIX_SOCKET" in os.environ:
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(os.environ["ANTHROPIC_UNIX_SOCKET"])
headers = dict(line.split(": ", 1) for line in os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "").split("\n") if line)
if "ANTHROPIC_API_KEY" in os.environ:
    headers["x-api-key"] = os.environ["ANTHROPIC_API_KEY"]
else:
    headers["authorization"] = "Bearer " + os.environ["ANTHROPIC_AUTH_TOKEN"]
connection.request("POST", "/v1/messages", sys.stdin.read(),
                   {**headers, "anthropic-version": "2023-06-01", "content-type": "application/json"})
answer = connection.getresponse()
print(answer.status, json.loads(answer.read()).get("content", [{}])[0].get("text"))
"""


def run(story, *command, stdin=b"", status=0, **more):
    got = subprocess.run([str(word) for word in command], input=stdin, capture_output=True, timeout=DEADLINE,
                         cwd=story.dir, env={**story.env(), "ANTHROPIC_API_KEY": "sk-somebody", **more})
    equal(status, got.returncode, "%s: %s" % (command, got.stderr.decode()))
    return got.stdout.decode()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def a_program_goes_through_the_daemon(story, daemon, program):
    contains("200 from afar", run(story, FOREBAY, "--socket", daemon.socket, "exec", "--class", "patient", "-l",
                                  "a label", "--chain", "claude-haiku-5-5,%s" % MODEL, "--", sys.executable, program,
                                  stdin=body("[echo:from afar]", model="claude-haiku-5-5"),
                                  ANTHROPIC_CUSTOM_HEADERS="x-forebay-label: old\nx-forebay-priority: 7"))
    row, = daemon.client().rows("list", label="a label")
    job, _ = daemon.client().show(row["id"])
    equal(("patient", 7), (job["class"], job["priority"]))
    seen = run(story, FOREBAY, "--socket", daemon.socket, "exec", "--", "env")
    check("ANTHROPIC_API_KEY" not in seen and "sk-somebody" not in seen, seen)


def its_end_and_its_signals_are_its_own(story, daemon):
    def status(wanted, *command):
        run(story, FOREBAY, "-q", "--socket", daemon.socket, "exec", *command, status=wanted)
    status(7, "sh", "-c", "exit 7")
    status(-signal.SIGTERM, "sh", "-c", "kill -TERM $$")
    status(125, "--class", "soon", "--", "true")
    status(125, "--http-socket", "/" + "x" * 200, "true")
    status(126, story.file("no_program", "", 0o644))
    status(127, "no-such-program-anywhere")

    # Whoever starts it decides which signals are ignored: here nobody, then SIGINT.
    ignored = "grep SigIgn /proc/self/status"
    for how in "", "trap '' INT; ":
        equal(run(story, "sh", "-c", how + ignored),
              run(story, "sh", "-c", how + 'exec "$@"', "sh", FOREBAY, "-q", "exec", "--", *ignored.split()))


def env_is_read_by_the_shell(story, daemon):
    line = 'eval "$(%s env)"; ' % FOREBAY
    equal("%s http://localhost none\n" % daemon.http,
          run(story, "sh", "-c", line + 'echo "$ANTHROPIC_UNIX_SOCKET $ANTHROPIC_BASE_URL ${ANTHROPIC_API_KEY-none}"',
              FOREBAY_HTTP_SOCKET=daemon.http))
    if shutil.which("curl"):
        line += 'curl -sf --unix-socket "$ANTHROPIC_UNIX_SOCKET" "$ANTHROPIC_BASE_URL/healthz"'
        check(run(story, "sh", "-c", line, FOREBAY_HTTP_SOCKET=daemon.http), "nothing came of /healthz")
    table = json.loads(run(story, FOREBAY, "env", "--json", "--http-socket", daemon.http))
    equal((daemon.http, None), (table["ANTHROPIC_UNIX_SOCKET"], table["ANTHROPIC_API_KEY"]))


with Story() as story:
    program, token = story.file("program.py", PROGRAM), story.file("token", "local-token-%d\n" % os.getpid(), 0o600)
    api, port = story.fakeapi(), free_port()

    daemon = story.daemon(api)
    daemon.http = daemon.socket[:-len(".sock")] + "-http.sock"
    a_program_goes_through_the_daemon(story, daemon, program)
    its_end_and_its_signals_are_its_own(story, daemon)
    env_is_read_by_the_shell(story, daemon)

    # A socket whose name no shell likes; and a port.
    odd = os.path.join(story.dir, "it's $HOME \"odd\" `x` \\.sock")
    other = story.daemon(api, "http.socket=" + odd, "http.tcp=127.0.0.1:%d" % port, "http.token_file=" + token,
                         name="other")
    other.http = odd
    env_is_read_by_the_shell(story, other)
    contains("200 odd", run(story, FOREBAY, "exec", "--http-socket", odd, sys.executable, program,
                            stdin=body("[echo:odd]")))
    contains("200 by port", run(story, FOREBAY, "exec", "--tcp", port, "--token-file", token, "--", sys.executable,
                                program, stdin=body("[echo:by port]"), ANTHROPIC_UNIX_SOCKET="/nowhere"))
    contains("401", run(story, FOREBAY, "exec", "--tcp", port, "--token-file", story.file("wrong", "x\n"), "--",
                        sys.executable, program, stdin=body("[echo:by port]")))
