#!/usr/bin/env python3
"""The message put together from a stream is the one that the official SDK, old and new, makes of the
same bytes: of every recorded stream, however it is cut, alone and through the daemon."""
import glob, http.server, json, os, subprocess, sys, threading
from facade_client import create
from lib import OUT, ROOT, Failure, Story, body, check, contains, equal

CLIENTS = os.path.join(ROOT, "tests", "clients")
sys.path.insert(0, CLIENTS)
from npm import installed

SDKS = ["sdk-0", "sdk-1"]
UNASSEMBLED = 4  # the status of `assemble`: whole, but some event has no place in a message
# Events that no message has a place for, and input of tools that was cut short.
KEPT_RAW = {"unknown"} | {"tool_cut_" + where for where in (
    "after_key", "at_comma", "in_literal", "in_number", "in_string")}


def recorded(directory):
    paths = sorted(glob.glob(os.path.join(ROOT, directory, "*.sse")))
    return {os.path.basename(path)[:-len(".sse")]: path for path in paths}


def assembled(path):
    got = subprocess.run([os.path.join(OUT, "tests", "clients", "assemble"), path], capture_output=True,
                         timeout=20)
    if got.returncode not in (0, UNASSEMBLED):
        raise Failure("%s: status %d, %s" % (path, got.returncode, got.stderr.decode()))
    return got.returncode, got.stdout.decode()


def judged(where, messages, streams):
    """What an SDK says of each: {name: (of messages, of beta.messages)}."""
    asked = [{"name": name, "stream": streams[name], "message": messages[name]} for name in streams]
    got = subprocess.run(["node", os.path.join(CLIENTS, "accumulate.mjs")], input=json.dumps(asked), cwd=where,
                         capture_output=True, text=True, timeout=60)
    equal(0, got.returncode, got.stderr)
    rows = [json.loads(line) for line in got.stdout.splitlines()]
    equal(list(streams), [row["name"] for row in rows])
    return {row["name"]: (row["plain"], row["beta"]) for row in rows}


def same(where, messages, streams):
    for name, (plain, beta) in judged(where, messages, streams).items():
        what = "%s, %s" % (os.path.basename(where), name)
        # Only requests with betas are answered with what only the beta accumulator knows.
        if not name.startswith("beta_"):
            equal("same", plain, what + ", messages")
        equal("same", beta, what + ", beta.messages")


class Player(http.server.BaseHTTPRequestHandler):
    """An API that answers with the recorded stream of that name, a few bytes at a time."""
    protocol_version = "HTTP/1.1"
    streams = {}

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with open(self.streams[request["messages"][0]["content"]], "rb") as file:
            data = file.read()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("request-id", "req_played")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        # 61 bytes divide no event, and many a letter.
        for at in range(0, len(data), 61):
            piece = data[at:at + 61]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        self.send_error(404)

    def log_message(self, *_):
        pass


def played(streams):
    Player.streams = streams
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Player)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "http://127.0.0.1:%d" % server.server_address[1]


def through_the_daemon(daemon, streams):
    """A plain request for each, answered with the message; a stream is handed on as it came."""
    messages = {}
    for name, path in streams.items():
        answer = create(daemon, body(name))
        equal((200, "application/json"), (answer.status, answer.headers["content-type"]), "%s: %r" % (name, answer.data))
        messages[name] = answer.data.decode()
        answer = create(daemon, body(name, stream=True))
        equal(200, answer.status, "%s: %r" % (name, answer.data))
        with open(path, "rb") as file:
            equal(file.read(), answer.data, "%s is not handed on byte for byte" % name)
    return messages


homes = [installed(name) for name in SDKS]
own, units = recorded("tests/clients/streams"), recorded("tests/unit/streams")
check(len(own) >= 38 and len(units) >= 14, "streams are missing")

raw, messages = set(), {}
for name, path in own.items():
    status, messages[name] = assembled(path)
    raw |= {name} if status == UNASSEMBLED else set()
equal(KEPT_RAW, raw, "of these something was kept raw")
for home in homes:
    same(home, messages, own)

# Those the unit test reads: there the SDK's result is a file, here it is the SDK's own.
messages = {name: assembled(path)[1] for name, path in units.items()}
for home in homes:
    same(home, messages, units)

with Story() as story:
    daemon = story.daemon(played(own), "http.keepalive=none")
    messages = through_the_daemon(daemon, own)
    for home in homes:
        same(home, messages, own)
