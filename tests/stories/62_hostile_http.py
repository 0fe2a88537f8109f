#!/usr/bin/env python3
"""Whatever is sent to the HTTP socket, it is answered as the API would, or dropped, and the others notice nothing."""
import contextlib, http.client, os, re, socket, time
from facade_client import HEADERS, Connection, Raw, ask, create, open_connections, path_of, post
from lib import NOBODY, Story, as_user, body, check, contains, equal, eventually, text_of

MIB = 1 << 20

with Story() as story:
    api = story.fakeapi()
    token_file = story.file("token", "local-token-0123456789\n", 0o600)
    daemon = story.daemon(api, "daemon.hello_timeout=500ms", "http.connections=20", "http.tcp=127.0.0.1:0",
                          "http.token_file=" + token_file, "http.idle_timeout=3s")
    client = daemon.client()

    def works(connection=None):
        equal("still here", text_of(create(daemon, body("[echo:still here]"), connection=connection).data))

    # Heads that cannot be read: answered, and hung up on.
    for head, status in ((b"hello\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\r\n\r\n", 400),
                         (b"GET / HTTP/2.0\r\n\r\n", 505), (b"GET  / HTTP/1.1\r\nhost: x\r\n\r\n", 400),
                         (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
                         (b"G\0T / HTTP/1.1\r\nhost: a\r\n\r\n", 400), (b"GET /a b HTTP/1.1\r\nhost: a\r\n\r\n", 400),
                         (b"GET / HTTP/1.1\r\nhost: a\r\nx: a\nb: c\r\n\r\n", 400),
                         (b"GET / HTTP/1.1\r\nhost: a\r\nx : a\r\n\r\n", 400),
                         (b"GET / HTTP/1.1\r\nhost: a\r\n x: a\r\n\r\n", 400),
                         (post(b"", "transfer-encoding: chunked"), 400), (post(b"x", "content-length: 2"), 400),
                         (b"POST /v1/messages HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 501),
                         (b"POST /v1/messages HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400),
                         (b"POST /v1/messages HTTP/1.1\r\nhost: a\r\nexpect: the best\r\n\r\n", 417),
                         (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"a: b\r\n" * 300 + b"\r\n", 431),
                         (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 70000 + b"\r\n\r\n", 431),
                         (b"POST /v1/messages HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", 400)):
        raw = Raw(daemon).send(head)
        answer = raw.answer()
        equal((status, "close", "false"),
              (answer.status, answer.headers["connection"], answer.headers["x-should-retry"]), repr(head[:60]))
        answer.error()
        equal(b"", raw.half_close().rest(), "it is hung up")
    works()

    # Bodies that are too large: said before they come, and while they come.
    connection = Connection(daemon)
    for encode in (False, True):
        connection.request("POST", "/v1/messages", iter([b"x" * MIB] * 33) if encode else b"x" * (33 * MIB), HEADERS,
                           encode_chunked=encode)
        response = connection.getresponse()
        equal(413, response.status)
        contains(b'"request_too_large"', response.read())
    raw = Raw(daemon).send(b"POST /v1/messages HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n"
                           b"expect: 100-continue\r\n\r\n")
    equal(413, raw.answer().status, "without 100 Continue")
    big = body("[echo:big]", system="x" * (20 * MIB))
    equal("big", text_of(create(daemon, big).data))

    # Bodies in chunks, in small pieces, behind 100 Continue.
    request = body("[echo:in chunks]")
    raw = Raw(daemon).send(b"POST /v1/messages HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
                           b"expect: 100-continue\r\n\r\n")
    equal(b"HTTP/1.1 100 Continue\r\n\r\n", raw.socket.recv(100))
    for byte in request:
        raw.send(b"1;ext=1\r\n%c\r\n" % byte)
    raw.send(b"0\r\ntrailer: x\r\n\r\n")
    equal("in chunks", text_of(raw.answer().data))

    # A pipeline is answered one after the other, and a byte behind a held request does no harm.
    raw = Raw(daemon).send(b"".join(post(body("[echo:%d]" % i)) for i in range(8)) + b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
    for i in range(8):
        equal(str(i), text_of(raw.answer().data))
    equal(200, raw.answer().status)
    raw.send(post(body("[tag:pipe] [echo:first] [fake:hold]")) + b"garbage that will be looked at later\r\n\r\n")
    api.until(tag="pipe", accepted=1)
    raw.send(b"x" * 100000)
    api.control({"release": True})
    equal("first", text_of(raw.answer().data))
    equal(400, raw.answer().status)

    # Heads and bodies that come drop by drop do not come in time; who says nothing is not kept for ever.
    for slow in (b"GET / HT", b"POST /v1/messages HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nx"):
        raw = Raw(daemon).send(slow)
        answer = raw.answer()
        equal((408, "timeout_error"), (answer.status, answer.error()[0]))
    silent, drops = Raw(daemon), Raw(daemon)
    with contextlib.suppress(OSError):
        for _ in range(600):
            drops.send(b"X")
            if drops.socket in __import__("select").select([drops.socket], [], [], 0.01)[0]:
                break
    contains(b"408", drops.rest())
    equal(b"", silent.rest(), "closed without a word")

    # So many connections and no more, of each user.
    os.chmod(path_of(daemon), 0o666)
    mine = [Raw(daemon) for _ in range(20)]
    answer = Raw(daemon).answer()
    equal((429, "1", "true"), (answer.status, answer.headers["retry-after"], answer.headers["x-should-retry"]))
    with as_user(NOBODY):
        works()
    for raw in mine:
        raw.close()
    eventually(lambda: open_connections(daemon) == 1, "all have gone")

    # By TCP: the token, and no browser.
    port = int(re.search(rb"serving HTTP on 127.0.0.1:(\d+)", daemon.log_text()).group(1))

    def by_tcp(headers, method="POST", path="/v1/messages"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request(method, path, body("[echo:by tcp]"), {**HEADERS, **headers})
        response = connection.getresponse()
        return response.status, response.read()
    good = {"x-api-key": "local-token-0123456789"}
    equal("by tcp", text_of(by_tcp(good)[1]))
    equal(200, by_tcp({"authorization": "Bearer local-token-0123456789", "host": "localhost:%d" % port})[0])
    for headers, status in (({}, 401), ({"x-api-key": "local-token-012345678"}, 401), ({"x-api-key": ""}, 401),
                            ({**good, "origin": "http://localhost"}, 403), ({**good, "host": "evil.example"}, 403),
                            ({**good, "host": "127.0.0.1.evil.example"}, 403), ({**good, "host": "localhost.evil:1"}, 403)):
        got, data = by_tcp(headers)
        equal(status, got, repr(headers))
        contains(b'"type":"error"', data)
    equal(200, by_tcp({}, "GET", "/healthz")[0])
    equal(401, by_tcp({}, "GET", "/metrics")[0])
    equal(403, by_tcp({"origin": "null"}, "GET", "/healthz")[0])
    check(b"local-token" not in daemon.log_text(), "the token is in the log")

    works()
    equal(0, len([entry for entry in api.entries() if entry["outcome"] == "open"]))
