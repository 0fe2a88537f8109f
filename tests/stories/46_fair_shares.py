#!/usr/bin/env python3
"""A full queue of one user keeps nobody else waiting: small callers, weights, ageing, the worker kept free.

Order only, taken from the fake API's log. LONG=1: the queue holds 100,000 jobs instead of 5,000.
"""
import os
from lib import LONG, Story, body, check, equal, eventually, skip

if os.geteuid() != 0:
    skip("fairness needs several users, and only root can be all of them")

BACKLOG = 100000 if LONG else 5000
PIPELINE = 1000


def submit_many(client, tag, count, **options):
    """Pipelined, a thousand at a time."""
    ids = []
    for begin in range(0, count, PIPELINE):
        streams = [client.start("submit", body("[tag:%s%d]" % (tag, i)), **options)
                   for i in range(begin, min(count, begin + PIPELINE))]
        ids += [client.finish(stream)[0]["id"] for stream in streams]
    return ids


def tags(api):
    return [entry["tag"] for entry in api.entries() if entry["tag"]]


def position(order, tag):
    check(tag in order, "%s did not start at all" % tag)
    return order.index(tag)


def ten_small_callers(story):
    api = story.fakeapi("ttfb=5 gen=15")
    daemon = story.daemon(api, "daemon.workers=2", "limits.connections=0", name="many")
    root, big = daemon.client(), daemon.client(2000, timeout=600)
    root.request("hold")
    submit_many(big, "big", BACKLOG)
    root.request("release")
    api.until(arrivals=10)
    small = {user: daemon.client(user) for user in range(2001, 2011)}
    # They come while the two workers are busy, and all at once: every one counts from its submit.
    seen, ids = {}, {}
    for user, client in small.items():
        seen[user] = api.stats()["arrivals"]
        ids[user] = client.submit(body("[tag:small%d]" % user))
    for user, client in small.items():
        client.text(ids[user])
    order = tags(api)
    late = {user: position(order, "small%d" % user) - seen[user] for user in small}
    check(max(late.values()) < 20, "starts until the ten had theirs: %s" % late)

    # Also when the big one comes back to a queue that has waited over a restart.
    daemon.stop()
    daemon = daemon.again("daemon.workers=2", "limits.connections=0")
    client = daemon.client(2001)
    seen = api.stats()["arrivals"]
    client.text(client.submit(body("[tag:again]")))
    check(position(tags(api), "again") - seen < 4, "after a restart: %d" % (position(tags(api), "again") - seen))
    daemon.kill()
    api.process.terminate()
    api.wait()
    return late


def weights(story):
    """Two users with full queues, one has twice the weight."""
    api = story.fakeapi("ttfb=2 gen=3")
    config = story.file("weights.conf", "[limits user 2002]\nweight = 2\n")
    daemon = story.daemon(api, "daemon.workers=2", name="weights", config=config)
    root = daemon.client()
    root.request("hold")
    for user, tag in ((2001, "one"), (2002, "two")):
        submit_many(daemon.client(user), tag, 300)
    root.request("release")
    api.until(arrivals=240)
    order = tags(api)[30:240]
    shares = sum(tag.startswith("two") for tag in order) / len(order)
    check(0.62 < shares < 0.71, "of %d starts the one with twice the weight had %.0f %%, not two thirds" % (
        len(order), 100 * shares))
    daemon.kill()
    api.process.terminate()
    api.wait()
    return shares


def classes(story):
    """Better classes first; who waited long enough goes up one; one worker is kept for interactive jobs."""
    api = story.fakeapi("hold")
    daemon = story.daemon(api, "daemon.workers=1", "queue.age_up=1s", name="classes")
    client = daemon.client()
    client.submit(body("[tag:first]"))
    api.until(tag="first", accepted=1)
    old = client.submit(body("[tag:old]"))
    patient = client.submit(body("[tag:patient]"), **{"class": "patient"})
    eventually(lambda: client.request("status")[0]["uptime_ms"] > client_age(client, old) + 6500, "six spans have passed")
    # Now the old one competes as interactive, and the patient one as normal; by id within their class.
    ids = {tag: client.submit(body("[tag:%s]" % tag), **{"class": tag.split("-")[0]})
           for tag in ("interactive-1", "normal-1", "patient-1", "interactive-2", "normal-2", "patient-2")}
    api.control("calm")
    api.control({"release": True})
    client.wait(*ids.values(), old, patient)
    order = tags(api)
    equal(["first", "old", "interactive-1", "interactive-2", "patient", "normal-1", "normal-2", "patient-1", "patient-2"],
          order, "the order")
    daemon.stop()

    # Of three workers one stays free while interactive jobs come, and theirs is taken at once.
    api.control("hold")
    api.ask("POST", "/_reset")
    daemon = story.daemon(api, "daemon.workers=3", name="reserve")
    client = daemon.client()
    client.submit(body("[tag:hello]"), **{"class": "interactive"})
    api.until(tag="hello", accepted=1)
    api.control({"release": "hello"})
    eventually(lambda: client.request("status")[0]["in_flight"] == 0, "it has ended")
    submit_many(client, "n", 20)
    api.until(accepted=3)
    equal(2, client.request("status")[0]["in_flight"])
    client.submit(body("[tag:quick]"), **{"class": "interactive"})
    api.until(tag="quick", accepted=1)
    equal(3, client.request("status")[0]["in_flight"])
    # Priorities are within an owner: his best cannot pass another's only one for ever.
    other = daemon.client(2003)
    for i in range(20):
        client.submit(body("[tag:p%d]" % i), priority=100)
    mine = other.submit(body("[tag:modest]"), priority=-100)
    api.control("calm")
    api.control({"release": True})
    other.text(mine)
    order = tags(api)
    before = [tag for tag in order[:position(order, "modest")] if tag.startswith("p")]
    check(len(before) <= 3, "another's priority went before it: %s" % order)
    daemon.stop()
    api.process.terminate()
    api.wait()


def client_age(client, id):
    """When a job was created, in milliseconds of the daemon's life."""
    import datetime
    def ms(text):
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000
    return ms(client.show(id)[0]["created"]) - ms(client.request("status")[0]["started"])


with Story() as story:
    classes(story)
    share = weights(story)
    late = ten_small_callers(story)
    print("%d jobs in front; ten users started within %d starts of their submit; weight 2 had %.0f %%" % (
        BACKLOG, max(late.values()) + 1, 100 * share))
