#!/usr/bin/env python3
"""429 waits as long as the API says; a spending limit stops the key, says so, and nothing fails."""
from lib import Story, body, check, contains, equal

with Story() as story:
    # Two at once, then four a second.
    api = story.fakeapi("rpm=240 burst=2 ttfb=5 gen=5")
    daemon = story.daemon(api)
    client = daemon.client()
    ids = [client.submit(body("[tag:r%d] [echo:r%d]" % (i, i))) for i in range(8)]
    equal(["r%d" % i for i in range(8)], [client.text(id) for id in ids])
    # Reading the headers may have been enough; a 429, if there was one, says to wait for a second.
    for first in [entry for entry in api.entries() if entry["status"] == 429][:1]:
        early = [entry for entry in api.entries() if first["t_end"] + 0.1 < entry["t"] < first["t_end"] + 0.8]
        equal([], early, "sent while the limit was known to be used up")

    # One refusal with a wait of two seconds: nothing of that bucket is sent before.
    api.control("calm")
    api.ask("POST", "/_reset")
    first = client.submit(body("[tag:w] [echo:waited] [fake:429 retry-after=2*1]"))
    api.until(tag="w", arrivals=1)
    client.until_status(lambda status: status["in_flight"] == 0)
    second = client.submit(body("[tag:v] [echo:also]"))
    equal(["waited", "also"], [client.text(id) for id in (first, second)])
    refusal, *later = api.entries()
    equal(429, refusal["status"])
    check(min(entry["t"] for entry in later) - refusal["t_end"] >= 1.9, "it did not wait: %s" % later)

    # The spending limit: the key's gate closes, all models wait.
    for fault in ("spend", "usage", "credit", "billing"):
        id = client.submit(body("[tag:%s] [echo:%s] [fake:%s*1]" % (fault, fault, fault)))
        api.until(tag=fault, arrivals=1)
        client.until_status(lambda status: any(gate["name"] == "key" and gate["weather"] == "held"
                                               for gate in status["gates"]))
        other = client.submit(body("[tag:o-%s] [echo:other]" % fault, model="claude-haiku-5-5"))
        equal("queued", client.show(other)[0]["state"], "while the key's gate is closed")
        contains("key", client.show(other)[0]["waiting"], "why it waits")
        client.request("release", target="key")
        equal([fault, "other"], [client.text(id), client.text(other)])
    equal(0, client.request("status")[0]["queue"]["failed"])
