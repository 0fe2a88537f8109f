#!/usr/bin/env python3
"""SIGTERM lets what runs finish and leaves the rest in the queue; a second one does not wait."""
import signal
from lib import Story, body, contains, equal, refused

with Story() as story:
    api = story.fakeapi("hold")
    daemon = story.daemon(api, "daemon.workers=2", "daemon.drain_timeout=60s")
    client = daemon.client()

    ids = [client.submit(body("[tag:j%d] [echo:j%d]" % (i, i))) for i in range(5)]
    api.until(accepted=2)
    daemon.process.send_signal(signal.SIGTERM)
    daemon.until_notice("STOPPING=1")
    with refused("draining"):
        client.submit(body("too late"))
    waits = client.start("wait", ids=ids[:2])
    api.control({"release": True})
    equal(["succeeded"] * 2, [job["state"] for job in client.finish(waits)[0]["jobs"]], "those that ran")
    daemon.stop()  # it has ended by itself, or is about to
    equal(2, api.stats()["arrivals"], "nothing was started while draining")

    # The queue is as it was; the verb drain does the same, and the daemon stays.
    daemon = daemon.again("daemon.workers=2")
    client = daemon.client()
    equal(["j0", "j1"], [client.text(id) for id in ids[:2]])
    api.until(accepted=4)
    equal(2, client.request("drain")[0]["running"])
    with refused("draining"):
        client.submit(body("too late"))
    equal(True, client.request("status")[0]["draining"])

    # Twice SIGTERM: at once, though two still run. They go back to the queue.
    daemon.process.send_signal(signal.SIGTERM)
    daemon.until_notice("STOPPING=1")
    daemon.stop()
    daemon = daemon.again("daemon.workers=4")
    client = daemon.client()
    api.control("calm")
    api.control({"release": True})
    equal(["j%d" % i for i in range(5)], [client.text(id) for id in ids])
