#!/usr/bin/env python3
"""A new key opens the key's gate whatever closed it, but for a hand; a reload with the old one opens nothing."""
import os
from classes import gate_of
from lib import Story, body, contains, equal


def held(client):
    return gate_of(client, "key")["weather"] == "held"


with Story() as story:
    first = story.key
    old = story.fakeapi()
    story.key = "sk-ant-api03-the-other-one"
    new = story.fakeapi()
    story.key = first
    story.file("our.key", first + "\n", 0o600)
    text = "[upstream]\nurl = %s\nkey_file = " + os.path.join(story.dir, "our.key") + "\n"
    path = story.file("forebayd.conf", text % old.url)
    daemon = story.daemon(None, config=path, key=False)
    client = daemon.client()
    for fault in ("spend", "401"):
        id = client.submit(body("[tag:%s] [echo:%s] [fake:%s]" % (fault, fault, fault)))
        client.until_status(lambda status: held(client) and status["in_flight"] == 0)
        arrivals = old.stats()["arrivals"]
        client.request("reload")  # for another reason
        equal(True, held(client), "after a reload with the same key")
        story.file("our.key", "sk-ant-api03-the-other-one\n", 0o600)
        client.request("cancel", ids=[id])
        id = client.submit(body("[echo:after %s]" % fault))
        equal("queued", client.show(id)[0]["state"])
        story.file("forebayd.conf", text % new.url)
        client.request("reload")
        equal("after " + fault, client.text(id))
        equal(arrivals, old.stats()["arrivals"], "requests with the old key")
        # Back again, and held by hand: a key is no reason to open that.
        client.request("hold", target="key", reason="by hand")
        story.file("our.key", first + "\n", 0o600)
        story.file("forebayd.conf", text % old.url)
        client.request("reload")
        contains("by hand", gate_of(client, "key")["reason"])
        client.request("release", target="key")
