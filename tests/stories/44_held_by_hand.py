#!/usr/bin/env python3
"""What is held by hand stays so, over acceptances, restarts and kills, until its time or a release; others may not."""
import os, time
from lib import MODEL, NOBODY, Story, body, check, contains, equal, refused, skip

OTHER = "claude-haiku-5-5"
TARGETS = {MODEL: {MODEL}, "key": {MODEL, OTHER}, "host": {MODEL, OTHER}, "all": {MODEL, OTHER}}


def row_of(client, name):
    gate, = [gate for gate in client.request("gates")[0]["gates"] if gate["name"] == name]
    return gate


def status_line(daemon, name):
    line, = [line for line in daemon.cli("status").stdout.splitlines() if line.startswith(name + "\t")]
    return line


with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)
    client = daemon.client()

    # Each target: whom it stops, what is said, and a release.
    for target, stopped in TARGETS.items():
        reason = "because of %s" % target
        equal(target, daemon.cli("hold", target, "--reason", reason).stdout.strip())
        ids = {model: client.submit(body("[echo:%s]" % model, model=model)) for model in (MODEL, OTHER)}
        for model, id in ids.items():
            if model not in stopped:
                equal(model, client.text(id))
                continue
            job, attempts = client.show(id)
            equal(("queued", []), (job["state"], attempts))
            contains(reason, job["waiting"], "show says why")
            contains("by hand", job["waiting"])
            contains(reason, daemon.cli("show", id).stdout)
        shown = "key" if target == "all" else target
        equal(("held", reason), (row_of(client, shown)["weather"], row_of(client, shown)["reason"]))
        contains(reason, status_line(daemon, shown), "status says why")
        equal(target, daemon.cli("release", target).stdout.strip())
        equal([*ids], [client.text(id) for id in ids.values()])
        check("reason" not in row_of(client, shown), "the reason stays: %s" % row_of(client, shown))

    # It opens by itself, not sooner, whatever comes in between: a restart and a kill.
    begun = time.monotonic()
    client.request("hold", target=MODEL, for_ms=3000, reason="three seconds")
    id = client.submit(body("[tag:timed] [echo:timed]"))
    contains("held 3", client.show(id)[0]["waiting"])
    check("held_until" in row_of(client, MODEL), "until when: %s" % row_of(client, MODEL))
    daemon.stop()
    daemon = daemon.again()
    contains("three seconds", daemon.client().show(id)[0]["waiting"], "after a restart")
    daemon.kill()
    daemon = daemon.again()
    client = daemon.client()
    contains("three seconds", client.show(id)[0]["waiting"], "after a kill")
    equal("timed", client.text(id))
    check(time.monotonic() - begun >= 2.9, "it was answered after %.2f s" % (time.monotonic() - begun))
    check("reason" not in row_of(client, MODEL), "a reason outlives its hold: %s" % row_of(client, MODEL))

    # A kill right after the reply: the hold was on disk. Without end it has no date.
    for target in ("key", "host", OTHER):
        client.request("hold", target=target, reason="audit")
        daemon.kill()
        daemon = daemon.again()
        client = daemon.client()
        gate = row_of(client, target)
        equal(("held", "audit", "held (by hand)"), (gate["weather"], gate["reason"], gate["words"]))
        check("held_until" not in gate, "it has no end: %s" % gate)
    id = client.submit(body("[tag:three] [echo:three]", model=OTHER))
    for target in ("key", "host"):
        client.request("release", target=target)
        equal("queued", client.show(id)[0]["state"])
    client.request("release", target=OTHER)
    equal("three", client.text(id))

    # One that runs is let in and ends: the gate stays closed.
    api.control("hold")
    running = client.submit(body("[tag:runs] [echo:runs]"))
    api.until(tag="runs", accepted=1)
    client.request("hold", target="all", reason="stop")
    waiting = client.submit(body("[tag:waits] [echo:waits]"))
    api.control({"release": True})
    equal("runs", client.text(running))
    equal("queued", client.show(waiting)[0]["state"])
    api.control("calm")
    client.request("release")
    equal("waits", client.text(waiting))

    # What is no gate.
    for target in ("claude-opus-55", "batch", ""):
        with refused("not-found" if target else "bad-request"):
            client.request("hold", target=target)
    with refused("not-found", "gates"):
        client.request("release", target="claude-opus-55")
    check("claude-opus-55" not in daemon.cli("gates").stdout, "a typing error made a gate")
    daemon.cli("hold", "claude-opus-55", status=None)

    # Others look, and keep their hands off.
    if os.geteuid() != 0:
        skip("holds are right, but rights need several users, and only root can be all of them")
    other = daemon.client(NOBODY)
    for verb, target in (("hold", MODEL), ("hold", "all"), ("release", MODEL), ("release", "all")):
        with refused("not-allowed"):
            other.request(verb, target=target)
    client.request("hold", target=MODEL, reason="for all to see")
    equal("for all to see", row_of(other, MODEL)["reason"])
    contains("for all to see", other.show(other.submit(body("[echo:x]")))[0]["waiting"])
