#!/usr/bin/env python3
"""The daemon does not end before the one who waits for the last running job has its answer, on disk or ephemeral."""
import signal
from lib import Story, body, equal, text_of

with Story() as story:
    for ephemeral in (False, True):
        api = story.fakeapi("hold")
        daemon = story.daemon(api, name="ephemeral" if ephemeral else "durable")
        client = daemon.client()
        stream = client.start("submit", body("[echo:the last word]"), want="result", ephemeral=ephemeral)
        api.until(accepted=1)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.until_notice("STOPPING=1")
        api.control({"release": True})
        reply, data = client.finish(stream)
        equal("succeeded", reply["state"])
        equal("the last word", text_of(data))
        daemon.stop()
