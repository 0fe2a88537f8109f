"""What the stories about the classes of errors share: rows of a table, and what must follow from them.

A row is one fault of the fake API (tests/fakeapi/README.md) and what the ledger, the error and `forebay
explain` must say of it. Each row has a model of its own, so that no gate learns from two of them.
"""
import json
from collections import namedtuple
from lib import Failure, body, check, contains, eventually, equal, text_of

# Rests, pauses and time limits pass faster than the words of these stories.
FAST = {"FOREBAY_TIME_SCALE": "20"}
QUICK = ("queue.retry_max=500ms", "daemon.workers=64")

# name and advice are what `explain` prints; type and code those of the ledger, None for none.
Row = namedtuple("Row", "fault status type code name advice")


def said(daemon, text, row, what):
    """`forebay explain TEXT` must begin with the row's name and hold its advice."""
    lines = daemon.cli("explain", text).stdout.splitlines()
    equal(row.name, lines[0], "explain %s (%s)" % (text, what))
    advice = [line for line in lines if line.startswith("  what to do")][0]
    contains(row.advice, advice, "explain %s (%s)" % (text, what))


def as_pasted(attempt):
    """The error as a person would paste it."""
    error = {"type": attempt.get("error_type"), "message": attempt.get("message")}
    if attempt.get("error_code"):
        error["details"] = {"error_code": attempt["error_code"]}
    return "%d %s" % (attempt["http_status"], json.dumps({"type": "error", "error": error}))


def check_attempt(row, attempt, outcome, counted, what):
    equal((outcome, row.status, row.type, row.code),
          (attempt["outcome"], attempt["http_status"], attempt.get("error_type"), attempt.get("error_code")), what)
    equal((True, counted), (attempt["sent"], attempt["counted"]), "sent and counted: " + what)
    # Who to ask, if anybody answered.
    check(row.status == 0 or attempt["request_id"].startswith("req_"), "no request id: " + what)


def gate_of(client, name):
    """The row of a gate; None as long as nobody asked it."""
    rows = [gate for gate in client.request("gates")[0]["gates"] if gate["name"] == name]
    return rows[0] if rows else None


def open_gates(client, *names):
    for name in names:
        equal("open", gate_of(client, name)["weather"], "the gate of " + name)


class Class:
    """Rows that share what follows. `what` tells models and tags of several groups apart."""

    def __init__(self, api, daemon, rows, outcome, counted, transport="stream", what="", suffix=""):
        self.api, self.daemon, self.client = api, daemon, daemon.client()
        self.rows, self.outcome, self.counted = rows, outcome, counted
        self.transport, self.what, self.suffix = transport, what or transport, suffix

    def submit(self, row, kind, times, **options):
        """A job that meets the fault so often (an empty text: always), on a model of the row's own."""
        tag = "%s-%s-%s" % (kind, self.what, row.fault.replace(" ", "-"))
        echo = "" if "size=" in row.fault else "[echo:%s]" % tag
        text = "[tag:%s] %s [fake:%s%s%s]" % (tag, echo, row.fault, self.suffix, times)
        return tag, self.client.submit(body(text, model="m-" + tag), transport=self.transport, **options)

    def come_again(self):
        """Met once, each is tried again, answered, and told from the others by ledger and explain."""
        jobs = [(row, *self.submit(row, "again", "*1")) for row in self.rows]
        for row, tag, id in jobs:
            equal(tag, self.client.text(id), "after one " + tag)
            equal(2, len(self.api.attempts(tag)), "requests of " + tag)
            job, *attempts = self.client.rows("show", id=id)
            # A kept connection that the server closed just then: an attempt of its own that it never saw.
            raced = [attempt for attempt in attempts if "seek callback" in attempt.get("message", "")]
            attempts = [attempt for attempt in attempts if attempt not in raced]
            equal(2, len(attempts), "rows of the ledger: %s" % attempts)
            check_attempt(row, attempts[0], self.outcome, self.counted, tag)
            equal(("succeeded", True), (attempts[1]["outcome"], attempts[1]["counted"]), tag)
            equal((2, 1 + self.counted), (job["tries"] - len(raced), job["attempts"] - len(raced)),
                  "tries and attempts of " + tag)
            self.explained(row, id, attempts[0])

    def explained(self, row, id, attempt):
        said(self.daemon, id, row, row.fault)
        if row.type and row.status > 200 and "another status" not in row.name:
            said(self.daemon, as_pasted(attempt), row, "pasted, " + row.fault)

    def end(self, error, attempts, kind="end", **options):
        """Met always, each ends its job so, after so many requests, with the API's own words."""
        jobs = [(row, *self.submit(row, kind, "", attempts=3, **options)) for row in self.rows]
        for row, tag, id in jobs:
            reply, data = self.client.end_of(id)
            equal(("failed", error, row.status, attempts),
                  (reply["state"], reply.get("error"), reply["http_status"], reply["attempts"]), tag)
            equal(attempts, len(self.api.attempts(tag)), "requests of " + tag)
            attempt = self.client.show(id)[1][-1]
            check_attempt(row, attempt, self.outcome, True, tag)
            self.explained(row, id, attempt)
            if row.type and row.status > 200 and not row.type.startswith("network/"):
                equal(row.type, json.loads(data)["error"]["type"], "the result of " + tag)
            if row.status:
                contains(str(row.status), reply["message"], tag)

    def darken(self, moved="model"):
        """Met again and again, each closes that gate and no other; and it opens again."""
        for row in self.rows:
            tag, id = self.submit(row, "dark", "*25", attempts=100)
            name = "m-" + tag if moved == "model" else moved
            eventually(lambda: (gate_of(self.client, name) or {}).get("weather") == "dark",
                       "the gate of %s is dark" % name)
            contains("dark", self.client.show(id)[0].get("waiting", "dark"), "why %s waits" % tag)
            open_gates(self.client, *({"key", "host", "m-" + tag} - {name}))
            equal(tag, self.client.text(id), "after the dark of " + tag)
