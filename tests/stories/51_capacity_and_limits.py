#!/usr/bin/env python3
"""529 and 429, whatever they look like, never fail a job and never count against it; each holds its own gate."""
from classes import FAST, QUICK, Class, Row, gate_of, open_gates
from lib import Story, body, check, contains, equal

WAITS = "the job waits and is sent again by itself"
CHAIN = "give the job a chain"
TOLD = "it is sent again when the API said"

OVERLOADED = [
    Row("529", 529, "overloaded_error", None, "529 Overloaded", CHAIN),
    Row("compaction", 529, "overloaded_error", "compaction_unavailable", "529 compaction unavailable", WAITS),
    Row("529-blank", 529, None, None, "529 Overloaded, without the usual body", WAITS),
    Row("529-html", 529, None, None, "529 Overloaded, without the usual body", WAITS),
    Row("503-overloaded", 503, "overloaded_error", None, "overloaded, under another status", WAITS),
    Row("1xx", 529, "overloaded_error", None, "529 Overloaded", CHAIN),
]
LIMITED = [
    Row("429", 429, "rate_limit_error", None, "429 rate limit", TOLD),
    Row("ramp", 429, "rate_limit_error", "ramp_limit_exceeded", "429 ramp limit", TOLD),
    Row("400-rate", 400, "rate_limit_error", None, "rate limit, under another status", WAITS),
    Row("429-blank", 429, None, None, "429, without the usual body", WAITS),
]
# In an event, the first or after the opening; an overload may also come in the middle.
OVERLOADED_EVENTS = [Row("error-" + place, 200, "overloaded_error", None, "529 Overloaded", CHAIN)
                     for place in ("first", "start", "mid")]
LIMITED_EVENTS = [Row("rate-" + place, 200, "rate_limit_error", None, "429 rate limit", TOLD)
                  for place in ("first", "start", "mid")]

with Story() as story:
    api = story.fakeapi("ttfb=2 gen=10")
    daemon = story.daemon(api, *QUICK, env=FAST)
    client = daemon.client()
    for transport in ("stream", "plain"):
        Class(api, daemon, OVERLOADED, "overloaded", False, transport).come_again()
        Class(api, daemon, LIMITED, "limited", False, transport).come_again()
    Class(api, daemon, OVERLOADED_EVENTS, "overloaded", False).come_again()
    Class(api, daemon, LIMITED_EVENTS, "limited", False).come_again()

    # However often, and however few attempts a job has; not even "do not retry" fails it.
    for fault in ("529*6", "429 retry-after=1*6", "529 should-retry=false*6", "error-first*6"):
        tag = "often-" + fault.split("*")[0].replace(" ", "-")
        id = client.submit(body("[tag:%s] [echo:%s] [fake:%s]" % (tag, tag, fault), model="m-" + tag), attempts=1)
        equal(tag, client.text(id))
        equal((7, 1), (len(api.attempts(tag)), client.show(id)[0]["attempts"]), "requests, and those that count")

    # Capacity is the model's: its gate alone goes dark.
    Class(api, daemon, OVERLOADED[:1] + OVERLOADED_EVENTS[:1], "overloaded", False).darken()

    # A rate limit holds all models that share it, so long as the API said, and no other.
    api.control({"add": "model=claude-opus-4-8 429 retry-after=30"})
    first = client.submit(body("[tag:first] [echo:first]", model="claude-opus-4-8"))
    api.until(tag="first", arrivals=1)
    client.until_status(lambda status: status["in_flight"] == 0)
    same = client.submit(body("[tag:same] [echo:same]", model="claude-opus-4-7"))
    other = client.submit(body("[tag:other] [echo:other]", model="claude-haiku-5-5"))
    equal("other", client.text(other))
    equal(["queued"] * 2, [client.show(id)[0]["state"] for id in (first, same)])
    contains("rate limit", gate_of(client, "claude-opus-4-8")["words"])
    contains("rate limit", client.show(first)[0]["waiting"], "why it waits")
    contains("429 rate limit", daemon.cli("explain", first).stdout)
    api.control("calm")
    equal(["first", "same"], [client.text(id) for id in (first, same)])
    refusal = api.attempts("first")[0]
    check(min(entry["t"] for tag in ("first", "same") for entry in api.attempts(tag) if entry["status"] == 200)
          - refusal["t_end"] >= 30 / 20 - 0.01, "sent before the time that the API named")
    open_gates(client, "key", "host")
    equal(0, client.request("status")[0]["queue"]["failed"])

    # The field's rule, for who chooses it: so many refusals, then the end.
    daemon.stop()
    daemon = daemon.again("gate.policy=classic", *QUICK, env=FAST)
    client = daemon.client()
    for fault, error in (("529", "overloaded"), ("429", "rate-limited")):
        reply, _ = client.end_of(client.submit(body("[tag:c%s] [fake:%s]" % (fault, fault), model="m-c" + fault)))
        equal(("failed", error, int(fault)), (reply["state"], reply["error"], reply["http_status"]))
        equal(3, len(api.attempts("c" + fault)))
