#!/usr/bin/env python3
"""A client that leaves before its job is even acknowledged, with nothing to linger for, leaves nothing behind that the
identical request of the next one could trip over."""
import socket
from facade_client import ask, path_of
from lib import Story, body, check, equal

with Story() as story:
    api = story.fakeapi("ttfb=1 gen=1")
    daemon = story.daemon(api, "http.linger=0")
    request = body("[echo:same]")
    head = ("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nx-forebay-durable: 1\r\n"
            "anthropic-version: 2023-06-01\r\ncontent-length: %d\r\n\r\n" % len(request)).encode()
    for _ in range(100):
        leaver = socket.socket(socket.AF_UNIX)
        leaver.connect(path_of(daemon))
        leaver.sendall(head + request)
        leaver.close()
        answer = ask(daemon, "POST", "/v1/messages", request, {"x-forebay-durable": "1"})
        equal((200, "same"), (answer.status, answer.json()["content"][0]["text"]))
    equal(200, ask(daemon, "GET", "/healthz").status)
    # Those of the leavers were durable: they are done, too.
    client = daemon.client()
    client.until_status(lambda status: status["queue"]["queued"] + status["queue"]["running"] == 0)
    check(client.request("status")[0]["queue"]["succeeded"] >= 100, "the answers are there")
