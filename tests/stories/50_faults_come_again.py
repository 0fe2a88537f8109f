#!/usr/bin/env python3
"""What broke at the API or at its edge is tried again, counted, told in the ledger, and has an end."""
import glob
import json
import os
import pty
import subprocess
from classes import FAST, QUICK, Class, Row, gate_of, open_gates
from lib import DEADLINE, Story, check, equal

WAITS = "the job waits and is sent again by itself"
KEYS = "Look after the key service"

FAULTS = [
    Row("500", 500, "api_error", None, "500 API error", WAITS),
    Row("500-blank", 500, None, None, "500, without the usual body", WAITS),
    Row("500-huge", 500, None, None, "500, without the usual body", WAITS),
    Row("500-utf8", 500, None, None, "500, without the usual body", WAITS),
    Row("500-slow", 500, "api_error", None, "500 API error", WAITS),
    Row("500-headers", 500, "api_error", None, "500 API error", WAITS),
    Row("two-lengths", 500, None, None, "500, without the usual body", WAITS),
    Row("502", 502, None, None, "502 bad gateway", WAITS),
    Row("502-long", 502, None, None, "502 bad gateway", WAITS),
    Row("503", 503, "api_error", None, "503 service unavailable", WAITS),
    Row("503-blank", 503, None, None, "503 service unavailable", WAITS),
    Row("503-html", 503, None, None, "503 service unavailable", WAITS),
    Row("cmek", 503, "api_error", "cmek_key_unreachable", "503 encryption key unreachable", KEYS),
    Row("cmek-context", 503, "api_error", "cmek_context_unavailable", "503 encryption unavailable", KEYS),
    Row("409", 409, "conflict_error", None, "409 conflict", WAITS),
    Row("499", 499, None, None, "499 closed by the client", WAITS),
    Row("520", 520, None, None, "520 unknown error at the edge", WAITS),
    Row("521", 521, None, None, "521 API down", WAITS),
    Row("522", 522, None, None, "522 API not reachable", WAITS),
    Row("523", 523, None, None, "523 API not reachable", WAITS),
    Row("599", 599, "brand_new_error", None, "unknown fault", WAITS),
]
LATE = [
    Row("504", 504, "timeout_error", None, "504 timeout at the API", "better sent as a stream or a batch"),
    Row("504-html", 504, None, None, "504, without the usual body", WAITS),
    Row("408", 408, "timeout_error", None, "408 request timeout", WAITS),
    Row("524", 524, None, None, "524 API silent", WAITS),
    Row("body-timeout", 400, "invalid_request_error", "request_body_timeout", "400 upload too slow", WAITS),
]
# Whoever is asked to come elsewhere is not at the API, and no request's fault.
ELSEWHERE = [
    Row("301", 301, None, None, "redirected", "Check [upstream] url"),
    Row("307", 307, None, None, "redirected", "Check [upstream] url"),
]
# In an event the type alone tells.
EVENTS = [
    Row("api-error-first", 200, "api_error", None, "500 API error", WAITS),
    Row("timeout-first", 200, "timeout_error", None, "504 timeout at the API", WAITS),
    Row("new-error-first", 200, "brand_new_error", None, "unknown fault", WAITS),
    Row("api-error-start", 200, "api_error", None, "500 API error", WAITS),
]

# Rows of the table that a story of another kind plays: 26 (TLS), and what needs a resolver.
ELSEWHERE_PLAYED = {"answered", "TLS failed", "name not resolved", "no connection"}


def every_row_has_a_story():
    """The table as `forebay explain` prints it to a terminal, against the names in the stories' rows."""
    ours, theirs = pty.openpty()
    got = subprocess.run(daemon.command("--json", "explain"), stdin=theirs, capture_output=True, env=story.env(),
                         timeout=DEADLINE, check=True)
    os.close(ours)
    os.close(theirs)
    played = ""
    for name in glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "5[0-8]_*.py")):
        played += open(name).read()
    names = [json.loads(line)["name"] for line in got.stdout.splitlines()]
    check(len(names) > 70, "a table of %d rows" % len(names))
    equal([], [name for name in names if '"%s"' % name not in played and name not in ELSEWHERE_PLAYED],
          "rows of the table without a story")


with Story() as story:
    api = story.fakeapi("ttfb=2 gen=10")
    daemon = story.daemon(api, *QUICK, env=FAST)
    client = daemon.client()
    for transport in ("stream", "plain"):
        for rows in (FAULTS, LATE, ELSEWHERE):
            Class(api, daemon, rows, "fault", True, transport).come_again()
    Class(api, daemon, EVENTS, "fault", True).come_again()
    open_gates(client, "key", "host")

    # Faults have an end; which error it is, depends.
    Class(api, daemon, FAULTS, "fault", True).end("api-error", 3)
    Class(api, daemon, LATE, "fault", True).end("timed-out", 3)
    Class(api, daemon, ELSEWHERE, "fault", True).end("network", 3)
    Class(api, daemon, EVENTS[2:], "fault", True).end("api-error", 3)

    # "Do not retry" is obeyed, though the status says otherwise.
    never = [row for row in FAULTS if row.fault in ("500", "500-blank", "502", "503-html", "409", "520", "599")]
    Class(api, daemon, never, "fault", True, what="never", suffix=" should-retry=false").end("api-error", 1)

    # It is the model's gate that learns; the host answered, and the key was not at fault.
    Class(api, daemon, [FAULTS[0], FAULTS[-1], EVENTS[0]], "fault", True).darken()
    open_gates(client, "key", "host")
    check(gate_of(client, "host")["refused_share"] < 0.05, "the host was always there")
    every_row_has_a_story()
