#!/usr/bin/env python3
"""When nothing answers at all, all models share one probe, the words blame the host, no attempt counts, nothing is lost."""
import datetime, math, socket
from lib import MODEL, Story, body, check, contains, equal, eventually

MODELS = (MODEL, "claude-haiku-5-5", "claude-opus-5-5")
WORKERS = 32


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def submit(client, name, jobs=18):
    return {client.submit(body("[tag:%s%d] [echo:%s%d]" % (name, i, name, i), model=MODELS[i % 3])): "%s%d" % (name, i)
            for i in range(jobs)}


def host(client):
    gate, = [gate for gate in client.request("gates")[0]["gates"] if gate["kind"] == "host"]
    return gate


def faults(client):
    return client.request("stats")[0]["metrics"]["attempts_faulted_total"]


def until_dark(daemon, client, ids, trouble):
    client.until_status(lambda status: any(gate["kind"] == "host" and gate["weather"] == "dark"
                                           for gate in status["gates"]))
    check(not [gate for gate in client.request("gates")[0]["gates"] if gate["kind"] == "model"
               and gate["weather"] == "dark"], "the models are not to blame: %s" % client.request("gates")[0])
    queued = next(job for job in map(lambda id: client.show(id)[0], reversed(ids)) if job["state"] == "queued")
    contains("host dark", queued["waiting"], "why it waits")
    contains(trouble, queued["waiting"], "what is wrong")
    contains(trouble, host(client)["reason"], "what is wrong")
    contains(b"gate of the API's host: dark", daemon.log_text())
    contains("dark", [line for line in daemon.cli("status").stdout.splitlines() if line.startswith("host")][0])


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def check_uncounted(client, ids, error):
    for id in ids:
        job, attempts = client.show(id)
        equal(0, job["attempts"], "%s" % job)
        check(job["state"] in ("queued", "running"), "%s" % job)
        for attempt in [attempt for attempt in attempts if "error_type" in attempt]:
            equal((error, False), (attempt["error_type"], attempt["counted"]), "%s" % attempt)


with Story() as story:
    # Connections are refused: nobody listens there.
    port = free_port()
    daemon = story.daemon("http://127.0.0.1:%d" % port, "daemon.workers=%d" % WORKERS, "queue.attempts=1")
    client = daemon.client()
    ids = submit(client, "r")
    until_dark(daemon, client, ids, "onnect")
    before = faults(client)
    eventually(lambda: faults(client) >= before + 4, "four probes were refused")
    check_uncounted(client, ids, "network/connect")
    tries = sorted((seconds(attempt["started"]), seconds(attempt["ended"]))
                   for id in ids for attempt in client.show(id)[1])
    since = tries[0][1]
    for (_, ended), (started, _) in list(zip(tries, tries[1:]))[-4:]:
        least = 0.8 * 2 * math.sqrt((ended - since) / WORKERS)
        check(started - ended > least - 0.02, "a probe of all models together left %.3f s after the last, not %.3f" % (
            started - ended, least))

    # It comes back, and is slow: one request finds out, then the others go.
    api = story.fakeapi("ttfb=300", "--listen", "127.0.0.1:%d" % port)
    equal(list(ids.values()), [client.text(id) for id in ids])
    probe, *others = api.entries()
    check(all(entry["t"] >= probe["t_first"] for entry in others), "more than one knocked: %s" % api.entries()[:3])
    equal({1}, {client.show(id)[0]["attempts"] for id in ids})
    check(host(client)["weather"] != "dark", "the host is still called dark: %s" % host(client))
    equal(0, client.request("status")[0]["queue"]["failed"])
    daemon.stop()

    # It takes connections and says nothing. Twenty times faster: only time tells that it hangs.
    api.control("hang")
    api.ask("POST", "/_reset")
    daemon = story.daemon(api, "upstream.first_byte_timeout=60s", "daemon.workers=%d" % WORKERS, name="hang",
                          env={"FOREBAY_TIME_SCALE": "20"})
    client = daemon.client()
    ids = submit(client, "h", 60)
    until_dark(daemon, client, ids, "no answer")
    arrived = api.stats()["arrivals"]
    check(arrived <= 30, "%d requests before it was dark" % arrived)
    api.control("calm")
    equal(list(ids.values()), [client.text(id) for id in ids])
    for id in ids:
        check(client.show(id)[0]["attempts"] <= 2, "%s" % client.show(id)[0])
    daemon.stop()

    # Its name is not known: the same, and no attempt counts.
    daemon = story.daemon("https://forebay-story.invalid", "queue.attempts=1", name="dns",
                          env={"FOREBAY_TIME_SCALE": "20"})
    client = daemon.client()
    ids = submit(client, "d")
    until_dark(daemon, client, ids, "resolve")
    check_uncounted(client, ids, "network/dns")
    contains("resolve", client.show(next(iter(ids)))[1][0]["message"])

    # Nor is it forgotten by a restart, and the jobs are still there.
    daemon.kill()
    daemon = daemon.again("queue.attempts=1", env={"FOREBAY_TIME_SCALE": "20"})
    client = daemon.client()
    equal("dark", host(client)["weather"])
    queue = client.request("status")[0]["queue"]
    equal(len(ids), queue["queued"] + queue["running"])
