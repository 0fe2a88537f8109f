#!/usr/bin/env python3
"""policy = classic is three tries with pauses of 5 and 10 s a model, then the next, then failure; shrink_to asks for less."""
import json
from lib import Story, body, check, contains, equal

SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-5-5"
SCALE = 50


def pauses(entries):
    return [(after["t"] - before["t_end"]) * SCALE for before, after in zip(entries, entries[1:])]


with Story() as story:
    api = story.fakeapi("always ttfb=100 gen=100 refuse=50; dark", "--time-scale", str(SCALE))
    daemon = story.daemon(api, "gate.policy=classic", env={"FOREBAY_TIME_SCALE": str(SCALE)})
    client = daemon.client(timeout=60)

    # Alone: three tries, then it fails as overloaded; however many others the gate has seen refused.
    ids = {tag: client.submit(body("[tag:%s]" % tag)) for tag in ("a", "b", "c", "d", "e", "f")}
    for tag, id in ids.items():
        reply, _ = client.end_of(id)
        equal(("failed", "overloaded", 529), (reply["state"], reply["error"], reply["http_status"]), tag)
        tries = api.attempts(tag)
        equal(3, len(tries), "tries of " + tag)
        first, second = pauses(tries)
        check(first >= 5 and second >= 10, "%s paused %.1f and %.1f s" % (tag, first, second))

    # A chain: three tries each, without a pause between the models.
    id = client.submit(body("[tag:chain]"), chain=[SONNET, HAIKU])
    reply, _ = client.end_of(id)
    equal(("failed", "overloaded"), (reply["state"], reply["error"]))
    equal([SONNET] * 3 + [HAIKU] * 3, [entry["model"] for entry in api.attempts("chain")])
    check(pauses(api.attempts("chain"))[3] >= 5, "%s" % pauses(api.attempts("chain")))

    # Faults are counted by the same rule; the third try is answered.
    api.control("always ttfb=100 gen=100 refuse=50; calm")
    id = client.submit(body("[tag:third] [echo:third] [fake:529@1] [fake:500@2]"))
    equal("third", client.text(id))
    # What the API says of the request itself is final at once.
    reply, _ = client.end_of(client.submit(body("[tag:bad] [fake:400]")))
    equal(("failed", 400, 1), (reply["state"], reply["http_status"], len(api.attempts("bad"))))
    # A hold by hand holds in this policy, too.
    client.request("hold", target=SONNET)
    held = client.submit(body("[tag:held] [echo:held]"))
    equal("queued", client.show(held)[0]["state"])
    client.request("release", target=SONNET)
    equal("held", client.text(held))
    daemon.stop()

    # The gate's policy: the job waits, and after refusals it asks for less, never for less than it allowed.
    daemon = daemon.again("gate.policy=gate", env={"FOREBAY_TIME_SCALE": str(SCALE)})
    client = daemon.client(timeout=60)
    id = client.submit(body("[tag:less] [echo:less] [fake:529*12]", max_tokens=4096), shrink_to=1000)
    plain = client.submit(body("[tag:same] [echo:same] [fake:529*3]", max_tokens=4096))
    equal(["less", "same"], [client.text(id), client.text(plain)])
    asked = []
    for entry in api.attempts("less"):
        status, data = api.ask("GET", "/_body?seq=%d" % entry["seq"])
        asked.append(json.loads(data)["max_tokens"])
    equal(sorted(asked, reverse=True), asked, "it only shrinks")
    equal({4096, 2048, 1024, 1000}, set(asked))
    job, attempts = client.show(id)
    contains("max_tokens 4096 -> 1000", attempts[-1]["edits"])
    equal(0, client.request("status")[0]["queue"]["failed"] - 8, "only the classic ones failed")
    status, data = api.ask("GET", "/_body?seq=%d" % api.attempts("same")[-1]["seq"])
    equal(4096, json.loads(data)["max_tokens"])
