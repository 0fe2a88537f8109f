#!/usr/bin/env python3
"""An ephemeral job streams at once and ends with whoever asked for it."""
import signal
from lib import Story, body, check, equal, text_of

with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)
    client, watcher = daemon.client(), daemon.client()

    reply, data, events, live = client.collect(client.start(
        "submit", body("[echo:at once] [fake:deltas=3 drip=20]"), ephemeral=True, want="result", follow=True))
    equal(("succeeded", "at once"), (reply["state"], text_of(data)))
    check(live, "it did not stream")
    equal("ask\n", daemon.cli("ask", "--ephemeral", "[echo:ask]").stdout)

    # Its client goes: so does the job, and the API's connection.
    client.start("submit", body("[tag:gone]  [fake:hold]"), ephemeral=True, want="result", follow=True)
    api.until(tag="gone", accepted=1)
    client.close()
    api.until(client_left=1)
    status = watcher.until_status(lambda status: status["queue"]["canceled"] == 1)
    equal((0, 0), (status["queue"]["running"], status["queue"]["queued"]))

    # The stream is enough: CANCEL ends it, the connection goes on.
    stream = watcher.start("submit", body("[tag:stream] [fake:hold]"), ephemeral=True, want="result")
    api.until(tag="stream", accepted=1)
    watcher.cancel_stream(stream)
    api.until(client_left=2)

    # The command, killed.
    process = daemon.popen("ask", "--ephemeral", "[tag:killed] [fake:hold]")
    api.until(tag="killed", accepted=1)
    process.kill()
    process.communicate()
    api.until(client_left=3)

    # A lasting job does not care who leaves.
    client = daemon.client()
    client.start("submit", body("[tag:lasting] [echo:lasts] [fake:hold@1]"), want="result", follow=True)
    api.until(tag="lasting", accepted=1)
    client.close()
    api.control({"release": True})
    id, = [row["id"] for row in watcher.rows("list", limit=1)]
    equal("lasts", watcher.text(id))

    # One that has to wait becomes a row on disk, and still ends with its client.
    watcher.request("hold")
    client = daemon.client()
    stream = client.start("submit", body("[tag:waits]"), ephemeral=True, want="result")
    watcher.until_status(lambda status: status["queue"]["queued"] == 1)
    client.close()
    watcher.until_status(lambda status: status["queue"]["queued"] == 0)
    equal([], api.attempts("waits"))
