#!/usr/bin/env python3
"""The same key and the same body are the same job, however often they are sent; anything else is refused."""
import os
from lib import NOBODY, Story, body, equal, refused

with Story() as story:
    api = story.fakeapi("hold")
    daemon = story.daemon(api)
    client, other = daemon.client(), daemon.client()

    first = client.request("submit", body("[echo:once]"), key="k1")[0]
    again = other.request("submit", body("[echo:once]"), key="k1")[0]
    equal(True, again.get("existing"))
    equal(first["id"], again["id"], "the same key")
    with refused("key-conflict"):
        client.request("submit", body("[echo:twice]"), key="k1")
    with refused("key-conflict"):
        client.request("submit", body("[echo:once]"), key="k1", model="claude-opus-5-5")
    # Many at the same moment: one job.
    streams = [(who, who.start("submit", body("[echo:crowd]"), key="k2")) for who in (client, other) * 20]
    equal(1, len({who.finish(stream)[0]["id"] for who, stream in streams}), "ids of one key")

    api.control("calm")
    api.control({"release": True})
    equal("once", client.text(first["id"]))
    # It holds when the job has ended, and over a restart.
    equal({"id": first["id"], "state": "succeeded", "existing": True},
          client.request("submit", body("[echo:once]"), key="k1")[0])
    daemon.stop()
    client = daemon.again().client()
    equal(first["id"], client.request("submit", body("[echo:once]"), key="k1")[0]["id"])
    equal(2, api.stats()["accepted"], "calls that cost money")

    # Once the job is forgotten, so is its key.
    client.request("delete", ids=[first["id"]])
    equal(None, client.request("submit", body("[echo:once]"), key="k1")[0].get("existing"))

    if os.geteuid() == 0:  # somebody else's keys are theirs
        theirs = client.request("submit", body("[echo:mine]"), key="k3")[0]["id"]
        mine = story.processes[-1].client(NOBODY).request("submit", body("[echo:yours]"), key="k3")[0]
        equal((False, True), (mine["id"] == theirs, "existing" not in mine))
