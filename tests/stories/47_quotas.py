#!/usr/bin/env python3
"""Each quota refuses, or keeps waiting, with a sentence that names the limit, its value and when it frees."""
import os, re
from lib import Story, body, check, contains, equal, refused, skip

OVER = 5  # the command's status


def refusal(daemon, text, *words):
    got = daemon.cli("submit", "-", stdin=body(text), status=OVER)
    equal("", got.stdout)
    for word in ("(over-quota)", *words):
        contains(word, got.stderr)


with Story() as story:
    api = story.fakeapi("hold")
    config = story.file("quotas.conf", """
[limits]
queued_jobs = 3
queued_bytes = 2K
running = 1
connections = 6
[limits user 65534]
queued_jobs = 1
""")
    daemon = story.daemon(api, "queue.max_routes=2", config=config)
    client = daemon.client()

    # Unfinished jobs; one that runs is one of them, one that is canceled frees its place.
    ids = [client.submit(body("[echo:a]")) for _ in range(3)]
    api.until(accepted=1)
    refusal(daemon, "x", "limit of 3 unfinished jobs", "frees when one of yours ends")
    equal((1, 2), (client.request("status")[0]["in_flight"], client.request("status")[0]["queue"]["queued"]))
    client.request("cancel", ids=ids[1:])

    # Bytes of their bodies: what is used, and what was asked for.
    big = len(body("y" * 1950))
    refusal(daemon, "y" * 1950, "limit of 2048 bytes", "%d are in use" % len(body("[echo:a]")),
            "this one has %d" % big, "frees as your jobs end")
    api.control({"release": True})
    equal("a", client.text(ids[0]))

    # Requests at the API: the others wait their turn, nobody is refused.
    api.control("ttfb=20")
    api.ask("POST", "/_reset")
    ids = [client.submit(body("[echo:b%d]" % i)) for i in range(3)]
    equal(["b0", "b1", "b2"], [client.text(id) for id in ids])
    equal(1, api.stats()["max_in_flight"])

    # Different lists of models.
    equal("c", client.text(client.submit(body("[echo:c]", model="model-two"))))
    with refused("over-quota", "too many different model lists", "max_routes is 2"):
        client.submit(body("[echo:c]", model="model-three"))

    # Connections: whoever has too many is told before it is hung up on.
    more = [daemon.client() for _ in range(5)]
    got = daemon.cli("status", status=OVER)
    contains("connections", got.stderr)
    contains("over-quota", got.stderr)
    for one in more:
        one.close()
    daemon.clients = [client]
    daemon.stop()

    # Tokens of a day, by UTC. What is queued already waits, and says nothing about failing.
    daemon = story.daemon(api, "limits.tokens_per_day=10", name="tokens")
    client = daemon.client()
    equal("d", client.text(client.submit(body("[echo:d]"))))
    got = daemon.cli("submit", "-", stdin=body("x"), status=OVER)
    words = re.search(r"limit of 10 tokens a day is used up; it frees in (\d+) min, at midnight UTC", got.stderr)
    check(words and 0 < int(words.group(1)) <= 24 * 60, "when it frees: %s" % got.stderr)
    equal(0, client.request("status")[0]["queue"]["failed"])
    daemon.stop()

    # A user's own limits go before those of all; and one user's are none of another's.
    if os.geteuid() != 0:
        skip("quotas are right, but those of others need several users, and only root can be all of them")
    daemon = story.daemon(api, name="others", config=config)
    client, nobody = daemon.client(), daemon.client(65534)
    client.request("hold")
    nobody.submit(body("mine"))
    with refused("over-quota", "limit of 1 unfinished jobs"):
        nobody.submit(body("mine too"))
    for _ in range(3):
        client.submit(body("root's"))
