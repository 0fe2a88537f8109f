#!/usr/bin/env python3
"""Every verb with every argument wrong in every way: an ERROR that names it, or a plain answer."""
import json, os, re
from lib import NOBODY, ROOT, ForebayError, Story, body, check, contains, equal

# The tables: argument -> who takes it; the words for several verbs; the verbs.
ROWS = dict(re.findall(r"ROW\([a-z_]+,\s*([a-z_]+),\s*([A-Z_()| ]+),", open(os.path.join(ROOT, "protocol/request.c")).read()))
ROWS.update(dict.fromkeys(("class", "batch", "transport", "want"), "SUBMIT"), state="CHOICE", **{"from": "FOLLOW"})
SETS = {"CHOICE": "list cancel retry delete", "MANY": "cancel retry delete", "ONE": "follow result show"}
VERBS = re.findall(r'^\s*X\([A-Z_]+,\s*([a-z]+),', open(os.path.join(ROOT, "protocol/verbs.h")).read(), re.M)
VALUES = (
    0, -1, 1, 2**31, 2**32, 2**53, 2**63, 2**64, 10**40, 1.5, -0.0, 1e300, True, False, "", "x", "x" * 300, "x" * 60000,
    "\x00", "a\nb", "\x7f", "é", "\U0001f600", "../../etc/passwd", "%s%n%d", "'; DROP TABLE jobs; --", "\"\\", "<script>", "-1",
    "4294967295", "18446744073709551616", "@last", "all", "key", "host", "batches", "root", "nobody", "2026-13-45T99:99:99Z",
    "0000-00-00T00:00:00Z", "9999-12-31T23:59:59Z", "claude-sonnet-5-5", "queued", "succeeded", [], {}, [[]], [0], [-1], [1] * 1000,
    [1] * 1001, [1, 1], ["a"], [None], [2**63], [1.5], {"attempt": 0}, {"attempt": 2**40, "offset": 2**52},
    {"attempt": -1}, {"offset": 5}, {"attempt": "x", "offset": {}})
FEW = VALUES[::9]  # for arguments that the verb ignores
STRUCTURAL = {"reload", "drain"}  # not to be done for real, again and again
ENDLESS = ("watch", "follow", "wait")


def ask(client, verb, arguments):
    """(error name or None, message); endless ones are cancelled after their first frame."""
    stream = client.start(verb, body("[echo:x]") if verb == "submit" else None, **arguments)
    try:
        for kind, value in client.answer(stream):
            if verb in ENDLESS or arguments.get("want") == "result":
                client.cancel_stream(stream)
                break
    except ForebayError as error:
        return error.error, error.args[0]["message"]
    return None, ""


with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api, "queue.max_jobs=100000")
    clients = [daemon.client()]
    if os.geteuid() == 0:
        clients.append(daemon.client(NOBODY))
    check(len(VERBS) >= 15 and len(ROWS) >= 25, "the tables cannot be read: %r %r" % (VERBS, ROWS))
    mine = clients[0].submit(body("[echo:kept]"), label="kept", keep_ms=31536000000)
    equal("kept", clients[0].text(mine))

    needed = {"wait": {"ids": [1]}, "cancel": {"ids": [10**9]}, "retry": {"ids": [10**9]}, "delete": {"ids": [10**9]},
              "follow": {"id": 10**9}, "result": {"id": 10**9}, "show": {"id": 10**9}}
    # Of admin verbs the ones that others would feel are asked by nobody only.
    asked, refusals, unnamed = 0, 0, []
    allowed = {"bad-request", "not-found", "not-allowed", "key-conflict", "invalid-body", "over-quota"}
    for client in clients:
        admin = client.hello["you"]["admin"]
        for verb in VERBS:
            if admin and verb in STRUCTURAL or verb == "verify":
                continue
            for argument in ROWS:
                words = re.findall(r"[A-Z]{2,}", ROWS[argument])
                taken = any(verb in SETS.get(word, word.lower()).split() for word in words)
                for value in VALUES if taken else FEW:
                    if verb == "delete" and argument in ("id", "ids") and value in (1, [1, 1], [1] * 1000):
                        continue
                    arguments = {**needed.get(verb, {}), argument: value}
                    if verb == "wait":
                        arguments.setdefault("timeout_ms", 0)
                    error, message = ask(client, verb, arguments)
                    asked += 1
                    if not error:
                        continue
                    refusals += 1
                    check(error in allowed, "%s %.80r: %s: %s" % (verb, arguments, error, message))
                    if error == "bad-request" and argument.split("_")[0] not in message:
                        unnamed.append("%s %s=%.40r: %s" % (verb, argument, value, message))
    print("%d requests, %d refused, %d without the argument's name" % (asked, refusals, len(unnamed)))
    for line in unnamed[:10]:
        print(line)

    # Nothing came of it: who asks properly is answered, nothing is held, and what was kept is there.
    clients[0].request("release")
    check(not any("held" in gate["words"] for gate in clients[0].request("gates")[0]["gates"]), "a gate is still held")
    equal("kept", json.loads(clients[0].result(mine)[1])["content"][0]["text"])
    text = daemon.cli("list", "--limit", 5).stdout
    check(text, "the command lists")
    contains("root", json.dumps(clients[0].request("whoami")[0]) if os.geteuid() == 0 else "root")
