#!/usr/bin/env python3
"""Each vector of protocol/vectors that a client can send gets its own clear error, and only that."""
import os
from lib import END, ERROR, ROOT, Story, body, check, equal
from abuse import CANCEL, DATA, HELLO_FRAME, REPLY, Raw, frame, request

VECTORS = os.path.join(ROOT, "protocol/vectors")


def vectors():
    """(name, the words of its row, its bytes) of those that a client sends."""
    for line in open(os.path.join(VECTORS, "INDEX")):
        words = line.split()
        if len(words) >= 3 and words[1] == "client" and words[0].endswith(".bin"):
            with open(os.path.join(VECTORS, words[0]), "rb") as file:
                yield words[0], words[2:], file.read()


def send(name, data):
    """On a new connection, after a HELLO unless the vector is about that."""
    raw = Raw(daemon, greet=False)
    raw.send(data if data[4:5] == HELLO_FRAME[4:5] or name == "session_no_hello.bin" else HELLO_FRAME + data)
    return raw


with Story() as story:
    daemon = story.daemon(story.fakeapi())
    neighbor = daemon.client()
    job = neighbor.submit(body("[echo:fine]"))
    broken, sentences = 0, {}

    for name, words, data in vectors():
        raw = send(name, data)
        if words[-1] in ("bad-frame", "session"):
            # The connection ends, with a word about it.
            error = raw.last_words()
            check(error, name + ": closed without a word")
            equal("bad-frame", error["error"], name)
            check(len(error["message"]) > 10, name + ": " + error["message"])
            broken += 1
        elif "=" in words[-1]:
            # The stream ends with an error, or is fine; the connection goes on.
            want = words[-1].split("=")[1]
            kind, answer = raw.answer(1)
            if want == "ok":
                check(kind == REPLY or answer["error"] in ("not-found", "invalid-body"), "%s: %r" % (name, answer))
            else:
                equal((ERROR, want), (kind, answer.get("error")), name)
                sentences[name] = answer["message"]
            raw.send(request(1, "whoami"))
            equal(REPLY, raw.answer(1)[0], name + ": the stream's number can be used again")
        raw.close()
        # Meanwhile, on another connection.
        equal(job, neighbor.show(job)[0]["id"])

    check(broken >= 20 and len(sentences) >= 20, "%d and %d vectors were tried" % (broken, len(sentences)))
    bare = [name for name, text in sentences.items() if len(text) < 10 or text == "the request's JSON or an argument is wrong"]
    equal([], bare, "an ERROR that does not say what is wrong")
    equal("fine", neighbor.text(job))

    # Halves of frames, and then the end: nothing happens.
    for name, words, data in vectors():
        if words[-1] == "more":
            send(name, data).close()

    # An early ERROR: the rest of the body is ignored, with END or CANCEL, and the number is free.
    raw = Raw(daemon)
    for end in (frame(DATA, 7, b"rest", END), frame(CANCEL, 7)):
        raw.send(request(7, "submit", 0, **{"class": "royal"}) + frame(DATA, 7, b"x" * 100000) + end)
        kind, answer = raw.answer(7)
        equal((ERROR, "bad-request"), (kind, answer["error"]))
        raw.send(request(7, "status"))
        equal(REPLY, raw.answer(7)[0])

    # After CANCEL nothing more comes on a stream.
    raw.send(request(9, "watch", interval_ms=100) + frame(CANCEL, 9) + request(10, "wait", ids=[job]))
    equal(REPLY, raw.answer(10)[0])
    raw.send(request(11, "watch", interval_ms=100))
    for _ in range(3):
        equal(11, raw.frame()[2], "something came on a stream that was cancelled")
    raw.close()
