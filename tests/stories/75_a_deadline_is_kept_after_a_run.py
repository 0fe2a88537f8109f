#!/usr/bin/env python3
"""A job that ran while others came due, and is back in the queue behind a closed gate, has its deadline too."""
import time
from lib import Story, body, check, equal

SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-5-5"

with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)
    client = daemon.client()
    client.request("hold", target=HAIKU, reason="no")
    began = time.time()
    runs = client.submit(body("[tag:runs] [fake:529@1] [fake:refuse=1500]", model=SONNET), deadline_ms=3000)
    api.until(arrivals=1)
    first = client.submit(body("[tag:first]", model=HAIKU), deadline_ms=500)
    equal("expired", client.end_of(first)[0]["state"])
    equal("running", client.show(runs)[0]["state"])
    client.request("hold", target=SONNET, reason="no")
    client.until_state(runs, "queued")
    print("queued after %.1f" % (time.time() - began), flush=True)
    reply, _ = client.end_of(runs)
    equal("expired", reply["state"])
    check(time.time() - began < 8, "late: %.1f" % (time.time() - began))
