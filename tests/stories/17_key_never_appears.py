#!/usr/bin/env python3
"""The key reaches the API and nothing else: no reply, log, database, environment or command line."""
import os
from lib import Story, body, check, equal


def leaks(story, daemon):
    """Every file that has the key in it. What nobody may read (we may, as root) is no leak."""
    places = [os.path.join(daemon.state, name) for name in os.listdir(daemon.state)]
    places += ["/proc/%d/%s" % (daemon.pid, name) for name in ("environ", "cmdline", "comm")]
    places += [daemon.log_path, story.api.transcript]
    return [place for place in places if os.access(place, os.R_OK) and key in open(place, "rb").read()]


with Story() as story:
    key = story.key.encode()
    api = story.fakeapi()
    # The key by environment: a try in the foreground.
    daemon = story.daemon(api, "daemon.log_level=debug", "queue.attempts=2", key=False,
                          env={"ANTHROPIC_API_KEY": story.key})
    client, heard = daemon.client(), []

    faults = ("400", "500", "529*1", "429*1", "error-mid*1", "cut*1", "reset*1", "truncated*1", "bad-utf8",
              "wrong-type", "404", "413")
    ids = [client.submit(body("[fake:%s]" % fault)) for fault in faults]
    for id in ids:
        heard.append(repr(client.end_of(id)).encode())
        heard.append(repr(client.show(id)).encode())
    heard.append(repr(client.end_of(client.submit(body("[echo:fine]")))).encode())
    equal(1, len({entry["headers"].get("authorization", "***") for entry in api.entries()}))
    for verb in ("status", "gates", "stats", "models", "whoami"):
        heard.append(repr(client.request(verb)).encode())
        heard.append(daemon.cli(verb).stdout.encode())
    equal([], leaks(story, daemon), "places with the key (from the environment)")
    daemon.stop()
    equal([], leaks(story, daemon), "places with the key (after the end)")

    # The key by file, and it is refused.
    story.key = story.key[:-8] + "revoked!"
    daemon = daemon.again("daemon.log_level=debug", key=False, env={"ANTHROPIC_API_KEY": story.key})
    client = daemon.client()
    id = client.submit(body("refused"), deadline_ms=1000)
    heard.append(repr(client.end_of(id)).encode())
    heard.append(repr(client.request("status")).encode())
    for word in (key, story.key.encode()):
        key = word
        equal([], leaks(story, daemon), "places with the key (refused)")
        check(not any(word in reply for reply in heard), "the key is in a reply")
