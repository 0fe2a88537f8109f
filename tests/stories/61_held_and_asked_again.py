#!/usr/bin/env python3
"""Whoever asks is held through a storm; told to ask again, and given the answer of the job that was there."""
import json, threading
from facade_client import HEADERS, Connection, Raw, ask, create, open_connections, post
from lib import Story, body, check, contains, equal, eventually, text_of

CLAUDE = {"user-agent": "claude-cli/2.1.330 (external, cli)"}


def in_background(function):
    """Start it; join() gives what it returned."""
    result = []
    thread = threading.Thread(target=lambda: result.append(function()), daemon=True)
    thread.start()
    thread.result = lambda: (thread.join(20), result[0])[1]
    return thread


with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api, "http.hold=40s", "http.ping_every=10s", env={"FOREBAY_TIME_SCALE": "20"})
    client = daemon.client()

    # A storm is not seen: neither by a message nor by a stream, whatever broke before its first word.
    for words in ("529*3", "529*2] [fake:500@3", "reset*2", "error-start*2", "error-first"):
        for stream in (False, True):
            tag = "%s-%s" % (words[:9].strip("*]"), stream)
            answer = create(daemon, body("[tag:%s] [echo:after the storm] [fake:%s%s]" % (
                tag, words, "" if words[-2] in "*@" else "*1"), stream=stream))
            equal(200, answer.status, "%s: %r" % (tag, answer.data))
            contains(b"after the storm" if not stream else b"after", answer.data, tag)
            check(b"event: error" not in answer.data, "%s: %r" % (tag, answer.data))
            equal(1 if stream else 0, answer.data.count(b"event: message_start"), "%s: two answers in one" % tag)

    # After its first word a stream that breaks ends in an error, and is not tried again.
    for words, kind in (("error-mid", "overloaded_error"), ("cut", "api_error"), ("rate-mid", "rate_limit_error")):
        answer = create(daemon, body("[tag:%s] [fake:%s deltas=6 drip=600]" % (words, words), stream=True))
        equal(200, answer.status)
        *events, last, empty = answer.data.split(b"\n\n")
        check(last.startswith(b"event: error\ndata: ") and empty == b"", "%s: %r" % (words, answer.data[-300:]))
        equal(kind, json.loads(last.split(b"data: ", 1)[1])["error"]["type"], words)
        check(all(json.loads(event.split(b"data: ", 1)[1]) for event in events), "events are whole")
        equal(1, len(api.attempts(words)), "it was sent again")

    # Held for as long as we may, then told where it stands and to ask again: one job, one call.
    for stream in (False, True):
        tag = "held-%s" % stream
        request = body("[tag:%s] [echo:worth waiting] [fake:hold]" % tag, stream=stream)
        connection = Connection(daemon)
        answer = create(daemon, request, CLAUDE, connection=connection)
        equal((503, "1", "true"), (answer.status, answer.headers["retry-after"], answer.headers["x-should-retry"]))
        equal("api_error", answer.error()[0])
        contains("running", answer.error()[1])
        job = answer.headers["x-forebay-job"]
        contains("Job %s " % job, answer.error()[1])
        if stream:
            equal(503, create(daemon, request, CLAUDE, connection=connection).status, "it goes on")
        waiting = in_background(lambda: create(daemon, request, CLAUDE, connection=connection))
        api.control({"release": tag})
        answer = waiting.result()
        equal((200, job), (answer.status, answer.headers["x-forebay-job"]), answer.data)
        contains(b"worth", answer.data)
        equal(1, len(api.attempts(tag)), "it was paid for twice")
        # Delivered: the same again is another question.
        again = in_background(lambda: create(daemon, request, CLAUDE))
        api.until(tag=tag, arrivals=2)
        api.control({"release": tag})
        check(again.result().headers["x-forebay-job"] != job, "an answer was given twice")

    # It ended while nobody was there; and two who ask the same at a time are two.
    request = body("[tag:away] [echo:kept for you] [fake:hold]", stream=True)
    job = create(daemon, request, CLAUDE).headers["x-forebay-job"]
    other = in_background(lambda: create(daemon, request, {**CLAUDE, "anthropic-beta": "x-2025-01-01"}))
    api.until(tag="away", arrivals=2)
    api.control({"release": True})
    other.result()
    client.until_state(int(job), "succeeded")
    answer = create(daemon, request, CLAUDE)
    equal((200, job), (answer.status, answer.headers["x-forebay-job"]))
    check(answer.data.startswith(b"event: message_start") and answer.data.endswith(b"\n\n"), answer.data)
    equal(2, len(api.attempts("away")))

    # Behind a closed gate it says why it waits.
    client.request("hold", target="claude-sonnet-5-5", reason="somebody says so")
    answer = create(daemon, body("[tag:closed]"), CLAUDE)
    equal(503, answer.status)
    contains("queued: ", answer.error()[1])
    contains("in line", answer.error()[1])

    # An SDK's stream is kept open with pings, for longer than anybody is held; a failure then is an event.
    raw = Raw(daemon).send(post(body("[tag:pings] [echo:at last]", stream=True), "user-agent: Anthropic/JS"))
    got = b""
    while got.count(b"event: ping\n") < 6:
        got += raw.socket.recv(65536)
    client.request("release", target="claude-sonnet-5-5")
    while not got.endswith(b"0\r\n\r\n"):
        got += raw.socket.recv(65536)
    contains(b"at last"[:2], got)
    contains(b"event: message_stop", got)
    check(got.startswith(b"HTTP/1.1 200 "), got[:100])
    raw.close()
    client.request("hold", target="claude-sonnet-5-5")
    raw = Raw(daemon).send(post(body("[tag:never]", stream=True), "x-forebay-deadline: 3s"))
    answer = raw.answer()
    equal(200, answer.status)
    contains(b"event: ping", answer.data)
    contains(b'event: error\ndata: {"type":"error","error":{"type":"timeout_error"', answer.data)
    client.request("release", target="claude-sonnet-5-5")

    # Whoever leaves takes his job with him; half a close is leaving, too.
    for leave in (Raw.close, Raw.half_close):
        tag = "left-" + leave.__name__
        raw = Raw(daemon).send(post(body("[tag:%s] [fake:hold]" % tag)))
        api.until(tag=tag, accepted=1)
        left = api.stats()["client_left"]
        leave(raw)
        api.until(client_left=left + 1)
    # But not one that is durable: that can be asked for.
    request = body("[tag:durable] [echo:all the same] [fake:hold]")
    before = open_connections(daemon)
    raw = Raw(daemon).send(post(request, "x-forebay-durable: 1", "anthropic-version: 2023-06-01"))
    api.until(tag="durable", accepted=1)
    raw.close()
    eventually(lambda: open_connections(daemon) == before, "the client has gone")
    api.control({"release": "durable"})
    answer = create(daemon, request, {"x-forebay-durable": "1"})
    equal((200, "all the same"), (answer.status, text_of(answer.data)))
    equal(1, len(api.attempts("durable")))

    # The daemon goes: those who wait are told so, what runs ends.
    client.request("hold", target="claude-haiku-5-5")
    waits = in_background(lambda: create(daemon, body("[tag:w]", model="claude-haiku-5-5")))
    runs = in_background(lambda: create(daemon, body("[tag:r] [echo:to the end] [fake:hold]")))
    api.until(tag="r", accepted=1)
    client.until_status(lambda status: status["queue"]["queued"] >= 1)
    idle = Connection(daemon)
    equal(200, ask(daemon, "GET", "/healthz", connection=idle).status)
    daemon.process.terminate()
    answer = waits.result()
    equal((503, "1", "true"), (answer.status, answer.headers["retry-after"], answer.headers["x-should-retry"]))
    equal("close", answer.headers["connection"])
    api.control({"release": True})
    equal((200, "to the end"), (lambda a: (a.status, text_of(a.data)))(runs.result()))
    equal(0, daemon.wait())
