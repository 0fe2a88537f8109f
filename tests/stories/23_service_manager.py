#!/usr/bin/env python3
"""Sockets handed over by the service manager are served, and it hears READY, STATUS and STOPPING."""
import os, shutil
from lib import Story, body, check, equal, eventually, skip

TOOL = shutil.which("systemd-socket-activate")
if not TOOL:
    skip("systemd-socket-activate is not installed")

with Story() as story:
    api = story.fakeapi()
    # The listening socket is there before the daemon is; it starts with the first client.
    path = os.path.join(story.dir, "handed.sock")
    names = ("HOME", "PATH", "NOTIFY_SOCKET")
    daemon = story.daemon(api, ready=False, prefix=(TOOL, "-l", path, "--fdname=forebay",
                                                    *("--setenv=" + name for name in names)))
    daemon.socket = path
    eventually(lambda: os.path.exists(path), "systemd-socket-activate listens")
    client = daemon.client()  # connects; the daemon is started only now
    equal("handed over", client.text(client.submit(body("[echo:handed over]"))))
    daemon.until_notice("READY=1")
    daemon.until_notice("STATUS=")
    check(os.path.exists(path), "the manager's socket stays")
    daemon.stop()
    daemon.until_notice("STOPPING=1")
    check(os.path.exists(path), "the manager's socket is not ours to remove")

    # A watchdog is fed.
    daemon = story.daemon(api, name="watched", env={"WATCHDOG_USEC": "600000"})
    daemon.until_notice("WATCHDOG=1")
    daemon.forget_notices()
    daemon.until_notice("WATCHDOG=1")
