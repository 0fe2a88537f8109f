#!/usr/bin/env python3
"""No connection, none that holds, and answers that cannot be read: each has a name, is tried again, and has an end."""
import contextlib
import socket
from classes import FAST, QUICK, Class, Row, gate_of, said
from lib import Story, body, check, contains, equal, eventually

WAITS = "the job waits and is sent again by itself"

# No status ever came.
NO_STATUS = [Row(fault, 0, "network/reset", None, "connection broken", WAITS)
             for fault in ("reset", "close", "garbage", "long-header")]
SILENT = [Row(fault, 0, "network/first-byte", None, "no answer in time", WAITS) for fault in ("hang", "1xx-endless")]
# A success that is none: a stream without its last event, a body that is no message.
SHORT = [Row(fault, 200, "network/truncated", None, "answer cut short", WAITS)
         for fault in ("eof", "cut", "empty", "wrong-type", "foreign", "unstreamed")]
CUT = [Row("cut", 200, "network/truncated", None, "answer cut short", WAITS)]
UNREADABLE = [Row(fault, 200, "network/bad-stream", None, "answer not readable", WAITS)
              for fault in ("empty", "wrong-type", "foreign", "truncated", "eof", "bad-utf8")]
NO_CONTENT = [Row("204", 204, "network/bad-stream", None, "answer not readable", WAITS)]
BROKEN = [Row(fault, 200, "network/reset", None, "connection broken", WAITS) for fault in ("cut-reset", "bad-chunks")]


def first_try(client, id):
    eventually(lambda: any("ended" in attempt for attempt in client.show(id)[1]), "a first try ends")
    return client.show(id)[1][0]


with Story() as story:
    api = story.fakeapi("ttfb=2 gen=10")
    daemon = story.daemon(api, *QUICK, "upstream.first_byte_timeout=10s", env=FAST)
    client = daemon.client()
    for transport, groups in (("stream", (NO_STATUS, SILENT, SHORT, NO_CONTENT, BROKEN)),
                              ("plain", (NO_STATUS, SILENT, UNREADABLE, NO_CONTENT, BROKEN, CUT))):
        for rows in groups:
            Class(api, daemon, rows, "fault", True, transport).come_again()
    # Under another content type the same bytes are the same answer.
    for transport in ("stream", "plain"):
        equal("typed", client.text(client.submit(body("[echo:typed] [fake:mistyped]"), transport=transport)))

    Class(api, daemon, NO_STATUS + SHORT + NO_CONTENT + BROKEN, "fault", True).end("network", 3)
    # The host answers others: then a silence is these jobs' own.
    equal("alive", client.text(client.submit(body("[echo:alive]"))))
    Class(api, daemon, SILENT, "fault", True).end("timed-out", 3)

    # Where nobody answers at all, the host's gate is the one that closes, for every model.
    id = client.submit(body("[echo:through] [fake:reset*25]"), attempts=100)
    eventually(lambda: gate_of(client, "host")["weather"] == "dark", "the host's gate is dark")
    equal("open", gate_of(client, "key")["weather"])
    other = client.submit(body("[echo:other]", model="claude-haiku-5-5"))
    equal(["through", "other"], [client.text(job) for job in (id, other)])
    check(gate_of(client, "host")["weather"] != "dark", "it opens with the first answer")
    daemon.stop()

    # An answer that takes too long, and one that is too large, which no other try makes smaller.
    daemon = daemon.again(*QUICK, "upstream.lifetime=10s", "upstream.max_answer=256K", env=FAST)
    client = daemon.client()
    LONG = Row("deltas=100 size=2K drip=20", 200, "network/lifetime", None, "the answer took too long", "or raise")
    LARGE = Row("deltas=8 size=1M", 200, "network/too-big", None, "answer too large", "Raise [upstream] max_answer")
    for rows, outcome, error, attempts in (([LONG], "fault", "timed-out", 3), ([LARGE], "request", "too-big", 1)):
        for transport in ("stream", "plain") if rows == [LARGE] else ("stream",):
            Class(api, daemon, rows, outcome, True, transport).end(error, attempts)
    daemon.stop()

    # Without a connection nothing was tried: the job waits and keeps its attempts, whatever is in the way.
    with contextlib.ExitStack() as sockets:
        nobody = sockets.enter_context(socket.socket())
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening
        full = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # whoever comes now hears nothing
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        for place in (nobody, full):
            daemon = daemon.again(*QUICK, "upstream.url=http://127.0.0.1:%d" % place.getsockname()[1], env=FAST)
            client = daemon.client()
            id = client.submit(body("[echo:patient]", model="m-patient"), attempts=1)
            attempt = first_try(client, id)
            equal(("network/connect", False, False), (attempt["error_type"], attempt["sent"], attempt["counted"]))
            eventually(lambda: client.show(id)[0]["tries"] > 2, "it is tried again")
            job, *_ = client.show(id)
            check(job["state"] in ("queued", "running") and job["attempts"] == 0, "it should wait: %s" % job)
            contains("no connection", daemon.cli("explain", id).stdout)
            equal("open", gate_of(client, "m-patient")["weather"], "a model that was never asked")
            daemon.stop()
    daemon = daemon.again(*QUICK, env=FAST)
    equal("patient", daemon.client().text(id))
    for text, name in (("read ECONNRESET", "connection broken"), ("connect ECONNREFUSED", "no connection"),
                       ("Could not resolve host: api.anthropic.com", "name not resolved")):
        said(daemon, text, Row("", 0, None, None, name, WAITS), "pasted")
