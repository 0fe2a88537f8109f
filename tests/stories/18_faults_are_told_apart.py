#!/usr/bin/env python3
"""What broke on the way is tried again, what the API refuses is not; bytes of two attempts are never one answer."""
import json
from lib import Story, body, check, contains, equal, text_of

with Story() as story:
    api = story.fakeapi("ttfb=5 gen=30")
    daemon = story.daemon(api)
    client = daemon.client()

    # Broken twice in different ways, then whole; streamed, and in one piece.
    broken = [("stream", fault) for fault in (
        "error-mid", "api-error-mid", "cut", "cut-reset", "eof", "reset", "close", "500", "502", "503", "529-html",
        "error-first", "bad-utf8", "wrong-type", "empty", "foreign")]
    broken += [("plain", fault) for fault in ("cut", "truncated", "reset", "500", "empty", "foreign", "wrong-type")]
    ids = {"%s-%s" % pair: client.submit(
        body("[tag:%s-%s] [echo:%s-%s] [fake:%s*2]" % (*pair, *pair, pair[1])), transport=pair[0])
        for pair in broken}
    for tag, id in ids.items():
        equal(tag, client.text(id), "after two faults")
        equal(3, len(api.attempts(tag)), "requests of " + tag)

    # A follower is told to throw away what it has, and the pieces of the last attempt are the answer.
    id = client.submit(body("[tag:f] [echo:whole in the end] [fake:hold cut*1]"))
    api.until(tag="f", accepted=1)
    stream = client.start("follow", id=id)
    api.control({"release": True})
    reply, data, events, live = client.collect(stream)
    equal("whole in the end", text_of(data))
    lines = [line[5:] for line in b"".join(live).split(b"\n") if line.startswith(b"data:")]
    equal("whole in the end", "".join((json.loads(line).get("delta") or {}).get("text", "") for line in lines))
    equal(1, sum(event.get("restart", False) for event in events), "restarts announced: %s" % events)

    # Faults have an end: attempts.
    id = client.submit(body("[tag:gone] [fake:500]"), attempts=3)
    reply, data = client.end_of(id)
    equal(("failed", 3, 500), (reply["state"], reply["attempts"], reply["http_status"]))
    equal(3, len(api.attempts("gone")))

    # What the API says about the request itself is final, and is the result.
    for fault, status in (("400", 400), ("too-long", 400), ("404", 404), ("422", 422)):
        tag = "no-" + fault
        reply, data = client.end_of(client.submit(body("[tag:%s] [fake:%s]" % (tag, fault))))
        equal(("failed", status), (reply["state"], reply["http_status"]), fault)
        equal("error", json.loads(data)["type"], "the API's own error of " + fault)
        equal(1, len(api.attempts(tag)), "requests of " + tag)
        check(reply["message"] and reply["request_id"].startswith("req_"), "who to ask: %s" % reply)
    contains("api-error", daemon.cli("submit", "--wait", "-", stdin=body("[fake:400]"), status=1).stderr)
