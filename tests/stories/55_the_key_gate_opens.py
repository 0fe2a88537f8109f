#!/usr/bin/env python3
"""The key's gate opens at its date, by hand or for a new key, closes again when refused again, and outlives the daemon."""
import os
from classes import gate_of
from lib import Story, body, check, contains, equal


def key_gate(status):
    return [gate for gate in status["gates"] if gate["name"] == "key"][0]


def until_closed(client):
    client.until_status(lambda status: key_gate(status)["weather"] == "held" and status["in_flight"] == 0)


def alerts(daemon):
    return daemon.log_text().count(b"error: the key's gate is closed")


def at(entry):
    return entry["t"]


with Story() as story:
    good, path = story.key, os.path.join(story.dir, "our.key")
    api = story.fakeapi("ttfb=2 gen=10")
    story.file("our.key", good + "\n", 0o600)
    setting = "upstream.key_file=" + path
    daemon = story.daemon(api, setting, key=False)
    client = daemon.client()

    # By its date, by itself, for all who wait; and not before.
    first = client.submit(body("[tag:dated] [echo:dated] [fake:usage until=1s*1]"))
    until_closed(client)
    others = [client.submit(body("[tag:wait%d] [echo:wait%d]" % (i, i), model="m-%d" % i)) for i in range(5)]
    contains("You will regain access on 20", gate_of(client, "key")["reason"])
    equal(["dated"] + ["wait%d" % i for i in range(5)], [client.text(id) for id in [first] + others])
    refused, answered = api.attempts("dated")
    check(min(at(entry) for i in range(5) for entry in api.attempts("wait%d" % i)) - refused["t_end"] >= 0.9,
          "sent before the date")
    check(answered["t"] - refused["t_end"] >= 0.9, "sent before the date")
    equal("open", gate_of(client, "key")["weather"])

    # Refused again at the date: closed again, told again, and nobody else was sent into it.
    before = alerts(daemon)
    id = client.submit(body("[tag:twice] [echo:twice] [fake:spend until=1s*2]"), attempts=1)
    equal("twice", client.text(id))
    equal((3, before + 2), (len(api.attempts("twice")), alerts(daemon)), "requests and alerts")
    equal(1, client.show(id)[0]["attempts"], "attempts that count")

    # By hand, though the date is far; refused again, it closes again.
    id = client.submit(body("[tag:hand] [echo:hand] [fake:spend until=1h*2]"))
    until_closed(client)
    client.request("release", target="key")
    api.until(tag="hand", arrivals=2)
    until_closed(client)
    contains("spending limit", client.show(id)[0]["waiting"])

    # Closed it stays over a restart, with its date and reason, and nobody is asked in between.
    gate, arrivals = gate_of(client, "key"), api.stats()["arrivals"]
    daemon.stop()
    daemon = daemon.again(setting, key=False)
    client = daemon.client()
    again = gate_of(client, "key")
    equal([gate[key] for key in ("weather", "reason")] + [gate["held_until"][:16]],
          [again[key] for key in ("weather", "reason")] + [again["held_until"][:16]], "after a restart")
    contains("spending limit", client.show(id)[0]["waiting"])
    equal(arrivals, api.stats()["arrivals"])
    client.request("release", target="key")
    equal("hand", client.text(id))

    # A key that is refused, then another that is refused, then one that is not.
    for wrong in ("sk-ant-wrong-1", "sk-ant-wrong-2"):
        before = alerts(daemon)
        story.file("our.key", wrong + "\n", 0o600)
        client.request("reload")
        if wrong.endswith("1"):
            id = client.submit(body("[tag:new] [echo:new]"))
        client.until_status(lambda status: alerts(daemon) == before + 1 and key_gate(status)["weather"] == "held")
        contains("invalid x-api-key", client.show(id)[0]["waiting"])
    story.file("our.key", good + "\n", 0o600)
    client.request("reload")
    equal("new", client.text(id))
    equal([401, 401, 200], [entry["status"] for entry in api.attempts("new")])
    equal(0, client.request("status")[0]["queue"]["failed"])
