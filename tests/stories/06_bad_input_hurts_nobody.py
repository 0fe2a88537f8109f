#!/usr/bin/env python3
"""Broken frames, JSON, verbs and bodies each get their own error; other clients notice nothing."""
import json, os, socket, struct
from lib import (DEADLINE, END, ERROR, ROOT, Story, body, check, contains, equal, refused)

HELLO = b'{"protocol":1,"client":"story"}'


def frame(kind, stream, payload=b"", flags=0, length=None, reserved=0):
    return struct.pack(">IBBHI", len(payload) if length is None else length, kind, flags, reserved, stream) + payload


def last_words(daemon, data):
    """Send bytes on a new connection; the ERROR on stream 0 before it is closed."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(DEADLINE)
        raw.connect(daemon.socket)
        raw.sendall(data)
        got = b""
        try:
            while piece := raw.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
    error = None
    while len(got) >= 12:
        length, kind, flags, _, stream = struct.unpack(">IBBHI", got[:12])
        if kind == ERROR and stream == 0:
            error = json.loads(got[12:12 + length])
        got = got[12 + length:]
    check(error, "closed without a word: %r" % data[:60])
    return error


def vectors():
    """The vectors that a client could send and that break a connection."""
    for line in open(os.path.join(ROOT, "protocol/vectors/INDEX")):
        words = line.split()
        if len(words) >= 3 and words[1] == "client" and words[-1] in ("bad-frame", "session"):
            with open(os.path.join(ROOT, "protocol/vectors", words[0]), "rb") as file:
                yield words[0], file.read()


with Story() as story:
    daemon = story.daemon(story.fakeapi())
    bystander = daemon.client()
    hello = frame(1, 0, HELLO)

    # The stream of bytes is broken: ERROR on stream 0, closed.
    count = 0
    for name, data in vectors():
        own = data.startswith(hello[:5]) or name == "session_no_hello.bin"
        error = last_words(daemon, data if own else hello + data)
        equal("bad-frame", error["error"], name)
        count += 1
    check(count > 20, "only %d vectors were tried" % count)
    equal("bad-frame", last_words(daemon, b"GET / HTTP/1.1\r\n\r\n")["error"])
    equal("bad-request", last_words(daemon, frame(1, 0, b'{"client":"x"}'))["error"], "HELLO without protocol")
    equal("bad-request", last_words(daemon, frame(1, 0, b'{"protocol":0}'))["error"], "protocol 0")

    # A frame that is fine with something wrong in it: ERROR there, and the connection goes on.
    client = daemon.client()

    def raw_request(text):
        client.stream += 1
        client.kept[client.stream] = []
        client.send(2, END, client.stream, text)
        return client.finish(client.stream)

    for text, error, *words in (
            (b"{", "bad-request"), (b"[]", "bad-request"), (b"{}", "bad-request", "verb"), (b"", "bad-request"),
            (b'{"verb":"submit\xff"}', "bad-request"), (b'{"verb":"wait","ids":[1],"ids":[2]}', "bad-request", "twice"),
            (b'{"verb":"dance"}', "unknown-verb", "dance"),
            (b'{"verb":"wait"}', "bad-request", "ids"), (b'{"verb":"wait","ids":[-1]}', "bad-request", "ids"),
            (b'{"verb":"wait","ids":[]}', "bad-request", "ids"),
            (b'{"verb":"follow","id":"one"}', "bad-request", "id"),
            (b'{"verb":"list","state":"sleeping"}', "bad-request", "sleeping"),
            (b'{"verb":"cancel"}', "bad-request"), (b'{"verb":"cancel","all":true}', "bad-request"),
            (b'{"verb":"watch","interval_ms":1}', "bad-request", "interval_ms"),
            (b'{"verb":"result","id":12345}', "not-found"),
            (b'{"verb":"list"' + b" " * 70000 + b"}", "bad-request")):
        with refused(error, *words):
            raw_request(text)

    # Bodies.
    for broken, *words in (
            (b"",), (b"{",), (b"[]",), (b"null",), (body() + b"x",), (b'{"messages":[]}', "messages"),
            (b'{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}', "model"),
            (body(model=7), "model"), (body(model="m\n"), "model"), (body(max_tokens="many"), "max_tokens"),
            (body().replace(b'{"model"', b'{"model":"b","model"'), "model")):
        with refused("invalid-body", *words):
            client.submit(broken)
    with refused("bad-request", "class"):
        client.submit(body(), **{"class": "royal"})
    with refused("bad-request", "label"):
        client.submit(body(), label="x" * 300)

    # Half a frame, then nothing more, for as long as it likes.
    lazy = socket.socket(socket.AF_UNIX)
    lazy.connect(daemon.socket)
    lazy.sendall(hello + frame(2, 1, b'{"verb":', length=100))

    # Nobody else noticed.
    equal("still here", client.text(client.submit(body("[echo:still here]"))))
    equal("not hurt", bystander.text(bystander.submit(body("[echo:not hurt]"))))
    status = bystander.request("status")[0]
    equal(2, status["queue"]["succeeded"], "jobs made of all that")
    lazy.close()
