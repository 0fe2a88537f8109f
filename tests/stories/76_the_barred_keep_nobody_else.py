#!/usr/bin/env python3
"""Some jobs of a chain that its fallback refused wait for the first model; those behind them go on to the fallback."""
from lib import Story, body, check, equal, eventually

SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-5-5"

with Story() as story:
    api = story.fakeapi("dark model=*haiku* clear too-long")
    daemon = story.daemon(api, config=story.file("chains.conf", "[chain soon]\nmodels = %s, %s\npatience = 1s\n" % (
        SONNET, HAIKU)))
    client = daemon.client(timeout=15)
    odd = [client.submit(body("[tag:odd%d]" % i, model=SONNET), chain="soon") for i in range(20)]
    eventually(lambda: sum(e["model"] == HAIKU and e["status"] == 400 for e in api.entries()) >= 20,
               "all refused by the fallback")
    api.control("dark model=*haiku* clear")
    good = client.submit(body("[tag:good] [echo:good]", model=SONNET), chain="soon")
    equal("good", client.text(good))
    equal("queued", client.show(odd[0])[0]["state"])
