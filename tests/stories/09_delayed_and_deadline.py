#!/usr/bin/env python3
"""Nothing starts before its time; what is not done by its deadline has expired, and is not sent."""
import datetime, time
from lib import Story, body, check, equal

with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)
    client = daemon.client()

    start = time.time() + 1.5
    at = datetime.datetime.fromtimestamp(start, datetime.timezone.utc).isoformat(timespec="milliseconds")
    id = client.submit(body("[echo:later]"), not_before=at.replace("+00:00", "Z"))
    equal("delayed", client.show(id)[0]["state"])
    equal("later", client.text(id))
    check(time.time() >= start, "it was answered before its time")
    check(time.time() < start + 10, "its time came long ago")

    # A delay survives a restart, and one that ended meanwhile starts at once.
    at = datetime.datetime.fromtimestamp(time.time() + 1, datetime.timezone.utc).isoformat(timespec="milliseconds")
    id = client.submit(body("[echo:over night]"), not_before=at.replace("+00:00", "Z"))
    daemon.stop()
    daemon = daemon.again()
    client = daemon.client()
    equal("over night", client.text(id))

    # The deadline of one that waits behind a closed gate.
    client.request("hold", reason="no")
    id = client.submit(body("[tag:never]"), deadline_ms=600)
    reply, data = client.end_of(id)
    equal(("expired", "deadline", 0, b""), (reply["state"], reply["error"], reply["attempts"], data))
    daemon.cli("result", id, status=75)
    client.request("release")

    # The deadline of one that is refused again and again.
    api.control("dark")
    id = client.submit(body("[tag:refused]"), deadline_ms=1500)
    equal("expired", client.end_of(id)[0]["state"])
    api.control("calm")

    # What runs when its deadline passes may finish: its tokens are paid for.
    id = client.submit(body("[tag:runs] [echo:just] [fake:ttfb=1200]"), deadline_ms=700)
    equal("just", client.text(id))
    equal([], api.attempts("never"), "what expired was never sent")
