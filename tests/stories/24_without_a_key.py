#!/usr/bin/env python3
"""Without a usable key the daemon serves, queues, says what is missing, and goes on when the key is there."""
import os
from lib import Story, body, check, contains, equal

with Story() as story:
    api = story.fakeapi()
    path = os.path.join(story.dir, "later.key")
    daemon = story.daemon(api, "upstream.key_file=" + path, key=False)
    client = daemon.client()

    status = client.request("status")[0]
    equal(False, status["key"]["usable"])
    contains("later.key", status["key"]["why"], "what is missing")
    id = client.submit(body("[echo:patience]"))
    equal("queued", client.show(id)[0]["state"])
    contains("key", client.show(id)[0]["waiting"])
    contains("key", daemon.cli("status").stdout)

    # Readable by others: refused, with the reason.
    story.file("later.key", story.key + "\n", 0o644)
    client.request("reload")
    contains("later.key", client.request("status")[0]["key"]["why"])
    equal(0, api.stats()["arrivals"])

    story.file("later.key", story.key + "\n", 0o600)
    client.request("reload")
    equal(True, client.request("status")[0]["key"]["usable"])
    equal("patience", client.text(id))

    # A key that the API refuses: the job waits for a better one.
    story.file("later.key", "sk-ant-wrong\n", 0o600)
    client.request("reload")
    id = client.submit(body("[tag:wrong] [echo:in the end]"))
    client.until_status(lambda status: any(gate["name"] == "key" and gate["weather"] == "held"
                                           for gate in status["gates"]))
    equal("queued", client.show(id)[0]["state"])
    story.file("later.key", story.key + "\n", 0o600)
    client.request("reload")
    equal("in the end", client.text(id))
