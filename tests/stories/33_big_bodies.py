#!/usr/bin/env python3
"""A body of exactly max_body is kept, one byte more is refused; many at once share a bounded room."""
import hashlib, threading
from lib import DEADLINE, ERROR, SLOWER, ForebayError, Story, body, check, contains, equal, eventually, refused
from abuse import CANCEL, DATA, REPLY, Bystander, Raw, frame, request, resident

MAX = 32 << 20
PART = 7 << 20
PIECE = 1 << 20


def body_of(size):
    """A Messages request of exactly so many bytes."""
    empty = body("[echo:big] ", stream=True)
    return empty.replace(b"[echo:big] ", b"[echo:big] " + b"x" * (size - len(empty)))


def begin(raw, stream, size):
    """A submit and so many bytes of its body, without an end."""
    raw.send(request(stream, "submit", 0))
    for at in range(0, size, PIECE):
        raw.send(frame(DATA, stream, b" " * min(PIECE, size - at)))


def submit_until_taken(client, text):
    """queue-full means: again, in a moment."""
    ids = []

    def taken():
        try:
            ids.append(client.submit(text))
        except ForebayError as error:
            equal("queue-full", error.error)
        return bool(ids)
    eventually(taken, "a big body is taken")
    return ids[0]


with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api, "daemon.receive_buffer=64M", "queue.min_free=0")
    client = daemon.client()
    equal(MAX, client.hello["max_body"])

    exact = body_of(MAX)
    equal(MAX, len(exact))
    id = client.submit(exact)
    equal("big", client.text(id))
    reply, data = client.request("show", id=id, request=True)
    check(hashlib.sha256(exact).digest() == hashlib.sha256(data[-MAX:]).digest(), "not byte for byte")
    with refused("too-big", "max_body", str(MAX)):
        client.submit(exact + b" ")
    equal("fine", client.text(client.submit(body("[echo:fine]"))))
    del data

    # Many at once, of one user: some of the 64 MiB stay free for others, and for small ones.
    before = resident(daemon)
    bystander = Bystander(daemon)
    greedy = [Raw(daemon) for _ in range(12)]
    for raw in greedy:
        begin(raw, 1, PART)
    refusals = 0
    for raw in greedy:
        raw.send(request(2, "whoami"))
        while (got := raw.frame())[2] != 2:
            equal(ERROR, got[0])
            contains(b"receive_buffer", got[3])
            contains(b"queue-full", got[3])
            refusals += 1
    equal(6, refusals, "of 12 bodies of 7 MiB, more than 48 MiB of 64 are refused")
    grown = resident(daemon) - before
    print("grown by %d MiB" % (grown >> 20))
    check(grown < SLOWER * 80 << 20, "the daemon grew by %d MiB" % (grown >> 20))

    # Given back by CANCEL and by leaving: there is room again for all of it.
    for raw in greedy[:6]:
        raw.send(frame(CANCEL, 1) + request(3, "whoami"))
        equal(REPLY, raw.answer(3)[0])
    for raw in greedy[6:]:
        raw.close()
    for raw in greedy[:6]:
        begin(raw, 4, PART)
    for raw in greedy[:6]:
        raw.send(frame(CANCEL, 4) + request(5, "whoami"))
        equal(REPLY, raw.answer(5)[0], "there was room for six")
    for raw in greedy[:6]:
        raw.close()

    # More than fit at once: each gets in, if it tries again.
    texts = []

    def one():
        big = daemon.client()
        texts.append(big.text(submit_until_taken(big, exact)))
    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    equal(["big"] * 2, texts)
    bystander.done(4)
