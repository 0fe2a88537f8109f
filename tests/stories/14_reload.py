#!/usr/bin/env python3
"""A new configuration is taken while running; a wrong one changes nothing and says where it is wrong."""
import signal
from lib import Story, body, contains, equal, refused

with Story() as story:
    api = story.fakeapi()
    path = story.file("forebayd.conf", "[queue]\nmax_body = 64K\n")
    daemon = story.daemon(api, config=path)
    client = daemon.client()
    with refused("too-big"):
        client.submit(body("x" * 100000))

    story.file("forebayd.conf", "[queue]\nmax_body = 256K\n")
    equal(True, client.request("reload")[0]["reloaded"])
    client.text(client.submit(body("x" * 100000)))

    # Wrong: file, line, key, what would be right; the old one stays.
    story.file("forebayd.conf", "[queue]\nmax_body = 16K\n\nattempts = many\n")
    with refused("bad-request", "forebayd.conf:4", "attempts", "many"):
        client.request("reload")
    client.text(client.submit(body("x" * 100000)))
    contains("attempts", daemon.cli("reload", status=None).stderr)

    # The same by signal, as systemd does it.
    daemon.forget_notices()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until_notice("READY=1")
    contains("keeping", daemon.log_tail(), "the log says that the old one is kept")
    client.text(client.submit(body("x" * 100000)))
    story.file("forebayd.conf", "[queue]\nmax_body = 16K\n[daemon]\nworkers = 3\n")
    daemon.forget_notices()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until_notice("READY=1")
    with refused("too-big"):
        client.submit(body("x" * 100000))
    contains("daemon.workers", client.request("reload")[0]["restart_needed"])
