#!/usr/bin/env python3
"""Whatever stands in for the API may say our key back: it is neither kept, nor logged, nor told to anybody."""
import os
from classes import gate_of
from lib import Story, body, check, contains, equal

FINAL = ("400-echo", "500-echo", "502-echo", "id-echo", "echo-first", "echo-start", "echo-mid")
CLOSING = ("401-echo", "usage-echo")


def files(directory):
    return [os.path.join(folder, name) for folder, _dirs, names in os.walk(directory) for name in names]


def nowhere(when):
    key = story.key.encode()
    for path in files(daemon.state) + [daemon.log_path, api.transcript] + [
            "/proc/%d/%s" % (daemon.pid, name) for name in ("cmdline", "environ", "comm")]:
        if os.path.exists(path):
            check(key not in open(path, "rb").read(), "the key is in %s, %s" % (path, when))
    for what, words in heard:
        check(story.key not in words, "the key was told by %s: %s" % (what, words[-800:]))


def hear(what, words):
    heard.append((what, words if isinstance(words, str) else repr(words)))


def ask_about(id, what):
    """Everything that anybody can learn of a job."""
    hear("show " + what, client.rows("show", id=id))
    for command in (("show", id), ("list", "--all"), ("explain", id), ("--json", "show", id), ("--json", "explain", id),
                    ("result", id)):
        got = daemon.cli(*command, status=None)
        hear("%s of %s" % (command, what), got.stdout + got.stderr)


with Story() as story:
    api, heard = story.fakeapi("ttfb=2 gen=10"), []
    daemon = story.daemon(api, "daemon.log_level=debug", "queue.attempts=2", "queue.retry_min=20ms")
    client = daemon.client()
    for transport in ("stream", "plain"):
        for fault in FINAL:
            what = transport + " " + fault
            id = client.submit(body("[fake:%s]" % fault, model="m-" + fault), transport=transport)
            stream = client.start("follow", id=id)
            hear("follow " + what, client.collect(stream))
            ask_about(id, what)
            equal("failed", client.show(id)[0]["state"], what)
    for fault in FINAL:
        got = daemon.cli("ask", "[fake:%s] for %s" % (fault, fault), status=None)
        hear("ask " + fault, got.stdout + got.stderr)
    for fault in CLOSING:
        id = client.submit(body("[echo:%s] [fake:%s*1]" % (fault, fault)))
        client.until_status(lambda status: any(gate["name"] == "key" and gate["weather"] == "held"
                                               for gate in status["gates"]))
        ask_about(id, fault)
        contains("***", gate_of(client, "key")["reason"], "the reason is kept, without the key")
        for command in ("status", "gates"):
            hear(command, daemon.cli(command).stdout + daemon.cli("--json", command).stdout)
        client.request("release", target="key")
        equal(fault, client.text(id))
    nowhere("while it runs")
    daemon.stop()
    nowhere("after its end")
    daemon = daemon.again("daemon.log_level=debug")
    client = daemon.client()
    hear("list", client.rows("list"))
    nowhere("after a restart")
