#!/usr/bin/env python3
"""Everybody sees and touches only their own jobs; root sees all; only root holds, drains and reloads."""
import os
from lib import NOBODY, Story, body, equal, refused, skip

if os.geteuid() != 0:
    skip("two users are needed, and only root can be both")

with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)
    root, nobody = daemon.client(), daemon.client(NOBODY)

    who = nobody.request("whoami")[0]
    equal((NOBODY, False), (who["uid"], who["admin"]))
    equal(True, root.request("whoami")[0]["admin"])

    theirs = root.submit(body("[echo:root's]"), label="x")
    mine = nobody.submit(body("[echo:nobody's]"), label="x")
    root.text(theirs)
    nobody.text(mine)

    # Not yours is the same as not there.
    for verb in ("show", "result", "follow"):
        with refused("not-found"):
            nobody.request(verb, id=theirs)
    for verb in ("cancel", "retry", "delete", "wait"):
        equal("not-found", nobody.request(verb, ids=[theirs])[0]["jobs"][0]["error"], verb)
    equal([mine], [row["id"] for row in nobody.rows("list", label="x")])
    equal([theirs], [row["id"] for row in root.rows("list", label="x")], "root's own")
    equal([mine, theirs], [row["id"] for row in root.rows("list", label="x", all=True)], "root, everybody's")
    with refused("not-allowed"):
        nobody.request("list", all=True)
    with refused("not-allowed"):
        nobody.request("list", owner="root")

    # A filter with all means all of one's own.
    nobody.request("delete", label="x", all=True, state="succeeded")
    equal("root's", root.text(theirs))
    with refused("not-found"):
        nobody.request("show", id=mine)

    for verb, arguments in (("hold", {}), ("release", {}), ("drain", {}), ("reload", {})):
        with refused("not-allowed"):
            nobody.request(verb, **arguments)
    nobody.request("status"), nobody.request("gates"), nobody.request("models"), nobody.request("stats")

    # Root may touch what is not its own.
    root.request("hold")
    id = nobody.submit(body("y"))
    equal("canceled", root.request("cancel", ids=[id])[0]["jobs"][0]["state"])
    equal("canceled", nobody.show(id)[0]["state"])
