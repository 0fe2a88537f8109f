#!/usr/bin/env python3
"""Followers get the answer's stream as it comes, each from where it wants, and the whole at the end."""
import json
from lib import CHUNK, Story, body, check, equal, text_of


def words(events):
    """The text in server-sent events."""
    lines = [line[5:] for line in events.split(b"\n") if line.startswith(b"data:")]
    return "".join((json.loads(line).get("delta") or {}).get("text", "") for line in lines)


with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)
    client = daemon.client()

    # Held: nobody can miss the beginning.
    id = client.submit(body("[tag:s] [echo:one two three four five six] [fake:hold deltas=6 drip=30]"))
    api.until(tag="s", accepted=1)
    stream = client.start("follow", id=id)
    api.control({"release": True})
    reply, data, events, live = client.collect(stream)
    equal(("succeeded", "one two three four five six"), (reply["state"], text_of(data)))
    check(len(live) > 3, "the answer came in %d pieces, not as it was made" % len(live))
    equal("one two three four five six", words(b"".join(live)), "the words in the CHUNKs")
    check(live[0].startswith(b"event: message_start"), "CHUNKs are the API's stream: %r" % live[0][:80])
    equal(["running"], [event["state"] for event in events if event["event"] == "state"])

    # Of what has ended, only the answer.
    reply, again, events, live = client.collect(client.start("follow", id=id))
    equal((data, []), (again, live), "following a job that has ended")

    # Break off in the middle and go on there: not a byte is lost or twice.
    id = client.submit(body("[tag:t] [echo:seven eight nine ten] [fake:hold deltas=4 drip=150]"))
    api.until(tag="t", accepted=1)
    stream = client.start("follow", id=id)
    api.control({"release": True})
    first = client.until(stream, lambda kind, value: kind == CHUNK)
    client.cancel_stream(stream)
    stream = client.start("follow", id=id, **{"from": {"attempt": 1, "offset": len(first)}})
    reply, data, events, live = client.collect(stream)
    equal("seven eight nine ten", words(first + b"".join(live)), "the pieces, put together")
    check(not any(event.get("restart") for event in events), "it was the same attempt: %s" % events)
    equal("seven eight nine ten", text_of(data))

    # Submit and follow in one request.
    reply, data, events, live = client.collect(
        client.start("submit", body("[echo:in one]"), want="result", follow=True))
    equal(("succeeded", "in one"), (reply["state"], text_of(data)))
    equal("in one", words(b"".join(live)))
    equal("queued", events[0]["event"], "the first news is that it is on disk")
