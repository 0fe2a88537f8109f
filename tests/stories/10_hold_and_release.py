#!/usr/bin/env python3
"""A gate closed by hand keeps its jobs waiting, says why, and leaves other models alone."""
from lib import MODEL, Story, body, contains, equal

with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)
    client = daemon.client()

    equal(MODEL, daemon.cli("hold", MODEL, "--reason", "incident 42").stdout.strip())
    held = client.submit(body("[tag:held] [echo:at last]"))
    equal("other", client.text(client.submit(body("[echo:other]", model="claude-haiku-5-5"))))
    equal("queued", client.show(held)[0]["state"])
    contains("incident 42", client.show(held)[0]["waiting"], "show says why it waits")
    gate, = [gate for gate in client.request("gates")[0]["gates"] if gate["name"] == MODEL]
    equal(("held", "incident 42"), (gate["weather"], gate["reason"]))
    contains("incident 42", daemon.cli("gates").stdout)
    contains("incident 42", daemon.cli("status").stdout)
    equal([], api.attempts("held"))

    # A hold outlives the daemon.
    daemon.stop()
    daemon = daemon.again()
    client = daemon.client()
    contains("incident 42", client.show(held)[0]["waiting"], "after a restart")
    equal([], api.attempts("held"))
    daemon.cli("release", MODEL)
    equal("at last", client.text(held))

    # All of them, and one that opens by itself.
    client.request("hold", target="all", reason="lunch", for_ms=700)
    id = client.submit(body("[echo:after lunch]"))
    equal("queued", client.show(id)[0]["state"])
    equal("after lunch", client.text(id))

    # The key's gate stops every model.
    client.request("hold", target="key")
    ids = [client.submit(body("[echo:%s]" % model, model=model)) for model in (MODEL, "claude-haiku-5-5")]
    equal(["queued"] * 2, [client.show(id)[0]["state"] for id in ids])
    client.request("release", target="key")
    equal([MODEL, "claude-haiku-5-5"], [client.text(id) for id in ids])
