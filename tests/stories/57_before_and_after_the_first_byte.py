#!/usr/bin/env python3
"""What fails before its first byte is tried again in silence; afterwards it is told, and two answers are never joined."""
import json
from lib import CHUNK, DATA, EVENT, REPLY, Story, body, check, equal, text_of

WORDS = "Twelve words or so, said in several pieces, and in the end all of them are here."

# Nothing of the answer has come when it fails.
BEFORE = ("529", "429", "500", "502", "reset", "close", "garbage", "error-first", "api-error-first", "new-error-first",
          "empty", "204", "hang", "1xx", "two-lengths", "wrong-type", "foreign", "unstreamed")
# Half of it has been told.
AFTER = ("error-mid", "api-error-mid", "rate-mid", "timeout-mid", "new-error-mid", "cut", "cut-reset", "eof", "stall",
         "freeze")


def said(pieces):
    """The text in raw bytes of a stream, and how often a message began in them."""
    text, begun = "", 0
    for line in b"".join(pieces).split(b"\n"):
        if line.startswith(b"data:"):
            data = json.loads(line[5:])
            text += (data.get("delta") or {}).get("text", "")
            begun += data["type"] == "message_start"
    return text, begun


def begin(tag, fault, **options):
    return client.start("submit", body("[tag:%s] [echo:%s] [fake:%s*1]" % (tag, WORDS, fault), model="m-" + tag),
                        want="result", follow=True, **options)


def told(stream):
    """What a follower got: pieces before and after each restart, restart or not of each attempt, and the end."""
    lives, starts, reply, data = [[]], [], None, b""
    for kind, value in client.answer(stream):
        if kind == CHUNK:
            lives[-1].append(value)
        elif kind == EVENT and value["event"] == "attempt":
            starts.append(value["restart"])
            if value["restart"]:
                lives.append([])
        elif kind == REPLY and "attempts" in value:
            reply = value
        elif kind == DATA:
            data += value
    return lives, starts, reply, data


with Story() as story:
    # Slow enough for a follower to be there before the first byte comes.
    api = story.fakeapi("ttfb=30 gen=60 ping=50")
    daemon = story.daemon(api, "queue.retry_min=20ms", "queue.retry_max=50ms", "upstream.idle_timeout=400ms",
                          "upstream.first_byte_timeout=400ms", "daemon.workers=64")
    client = daemon.client()
    streams = {("stream", fault): begin("b-" + fault, fault) for fault in BEFORE}
    streams.update({("plain", fault): begin("p-" + fault, fault, transport="plain") for fault in BEFORE[:8]})
    for (transport, fault), stream in streams.items():
        lives, starts, reply, data = told(stream)
        equal(("succeeded", WORDS), (reply["state"], text_of(data)), fault)
        equal([False, False], starts, "attempts told of %s %s" % (transport, fault))
        if transport == "stream":
            equal((WORDS, 1), said(lives[0]), "the one answer that was told after " + fault)
        else:
            equal([[]], lives, "a plain answer comes as a whole")

    streams = {fault: begin("a-" + fault, fault) for fault in AFTER}
    for fault, stream in streams.items():
        lives, starts, reply, data = told(stream)
        equal(("succeeded", WORDS), (reply["state"], text_of(data)), fault)
        equal([False, True], starts, "a restart is told of " + fault)
        before, after = said(lives[0]), said(lives[1])
        equal((WORDS, 1), after, "the second answer, alone and whole, after " + fault)
        check(before[1] == 1 and before[0] and WORDS.startswith(before[0]) and len(before[0]) < len(WORDS),
              "what had been told before %s: %r" % (fault, before))

    # The request's own fault in the middle: nothing is tried again, and it is told as it is.
    lives, starts, reply, data = told(begin("end", "invalid-mid"))
    equal(("failed", "api-error", 200, [False]), (reply["state"], reply["error"], reply["http_status"], starts))
    equal(1, len(api.attempts("end")))
