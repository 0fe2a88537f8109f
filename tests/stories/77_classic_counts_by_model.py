#!/usr/bin/env python3
"""A classic model that a job comes to after another model's refusals has its three tries."""
from lib import Story, body, equal

SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-5-5"
SCALE = 20

with Story() as story:
    api = story.fakeapi("always refuse=100; dark", "--time-scale", str(SCALE))
    daemon = story.daemon(api, config=story.file(
        "chains.conf", "[gate %s]\npolicy = classic\n[chain soon]\nmodels = %s, %s\npatience = 4s\n" % (HAIKU, SONNET, HAIKU)),
                          env={"FOREBAY_TIME_SCALE": str(SCALE)})
    client = daemon.client(timeout=60)
    id = client.submit(body("[tag:j]", model=SONNET), chain="soon", deadline_ms=6000)
    client.end_of(id)
    models = [e["model"] for e in api.attempts("j")]
    print(models)
    equal(3, models.count(HAIKU))
