#!/usr/bin/env python3
"""Programs that use libforebay: the examples, a hundred jobs in one poll loop across a restart of
the daemon, and callbacks that submit and cancel."""
import ctypes, os, select, subprocess, sys
from lib import OUT, Story, body, check, clock, equal, text_of

sys.dont_write_bytecode = True


class Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("stream", ctypes.c_uint32), ("last", ctypes.c_bool), ("error", ctypes.c_int),
                ("data", ctypes.c_void_p), ("len", ctypes.c_size_t), ("fields", ctypes.c_void_p)]

    def bytes(self):
        return ctypes.string_at(self.data, self.len)


Function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(Event), ctypes.c_void_p)


class Callbacks(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("arg", ctypes.c_void_p)] + [
        (name, Function) for name in ("text", "bytes", "restart", "news", "done", "link")]


class Library:
    """libforebay.so, as somebody else's event loop uses it."""

    def __init__(self, path):
        self.lib = ctypes.CDLL(os.path.join(OUT, "libforebay.so"))
        self.lib.forebay_event_int.restype = self.lib.forebay_timeout_ms.restype = ctypes.c_int64
        self.lib.forebay_pending.restype = ctypes.c_size_t
        self.lib.forebay_message.restype = ctypes.c_char_p
        self.f, self.kept = ctypes.c_void_p(), []
        equal(0, self.lib.forebay_open(path.encode(), None, ctypes.byref(self.f)))

    def submit(self, request, **functions):
        stream = ctypes.c_uint32()
        equal(0, self.lib.forebay_request(self.f, b'{"verb":"submit","want":"result","follow":true}', request,
                                          ctypes.c_size_t(len(request)), ctypes.byref(stream)))
        callbacks = Callbacks(ctypes.sizeof(Callbacks), None, **{
            name: Function(lambda f, event, arg, call=call: call(event)) for name, call in functions.items()})
        self.kept.append(callbacks)
        equal(0, self.lib.forebay_attach(self.f, stream, ctypes.byref(callbacks)))
        return stream.value

    def id(self, event):
        return self.lib.forebay_event_int(event, b"id", ctypes.c_int64(0))

    def loop(self):
        left, poll = clock(), select.poll()
        while self.lib.forebay_pending(self.f):
            fd, wait = self.lib.forebay_fd(self.f), self.lib.forebay_timeout_ms(self.f)
            if fd >= 0:
                poll.register(fd, self.lib.forebay_events(self.f))
            poll.poll(left("a loop") * 1000 if wait < 0 else wait)
            if fd >= 0:
                poll.unregister(fd)
            equal(0, self.lib.forebay_dispatch(self.f, 0), self.lib.forebay_message(self.f))


def run(story, daemon, name, *arguments, stdin=b"", status=0):
    got = subprocess.run([os.path.join(OUT, "examples", name), *arguments], input=stdin, capture_output=True,
                         timeout=60, env={**story.env(), "FOREBAY_SOCKET": daemon.socket}, cwd=story.dir)
    equal(status, got.returncode, "%s: %s" % (name, got.stderr.decode()))
    return got.stdout.decode(), got.stderr.decode()


with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api, "daemon.drain_timeout=0")

    # One question.
    out, err = run(story, daemon, "ask", "claude-sonnet-5-5", 'He said "why\\not" [echo:one two three]')
    equal("one two three", out)
    check("claude-sonnet-5-5" in err, "who answered: " + err)
    _, err = run(story, daemon, "ask", "claude-sonnet-5-5", "[fake:max-tokens]", status=1)
    check(err.startswith("api-error: "), err)

    # Left there under a key, twice; fetched later.
    request = story.file("request.json", body("[echo:later]"))
    ids = [run(story, daemon, "submit_later", "put", "nightly", request)[0] for _ in range(2)]
    equal(ids[0], ids[1], "the same key and body are the same job")
    equal("later", text_of(run(story, daemon, "submit_later", "get", ids[0].strip())[0]))
    _, err = run(story, daemon, "submit_later", "get", "99999", status=1)
    check(err.startswith("not-found: "), err)

    # A hundred at once; in the middle of the first answers the daemon goes down and comes again.
    lines = b"".join(body("[tag:p%d] [echo:answer %d in some words] [fake:deltas=5 drip=60]" % (i, i)) + b"\n"
                     for i in range(1, 101))
    pool = subprocess.Popen([os.path.join(OUT, "examples", "pool")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env={**story.env(), "FOREBAY_SOCKET": daemon.socket})
    pool.stdin.write(lines)
    pool.stdin.close()
    api.until(accepted=25)
    daemon.stop()
    daemon = daemon.again("daemon.drain_timeout=0")
    left, answers = clock(60), {}
    for line in pool.stdout:
        left("the pool")
        number, text = line.decode().rstrip("\n").split("\t")
        check(number not in answers, "line %s was answered twice" % number)
        answers[number] = text
    equal(0, pool.wait(), pool.stderr.read().decode())
    equal({str(i): "answer %d in some words" % i for i in range(1, 101)}, answers)
    client = daemon.client()
    equal(100, len(client.rows("list", label="pool", limit=1000)), "no submit was done twice")

    if os.environ.get("SAN"):
        sys.exit(0)  # Python cannot load a library that is instrumented

    # A callback submits the next; another cancels its own stream in the middle, and the job goes on.
    library, ends, words = Library(daemon.socket), [], []

    def next_one(number):
        def done(event):
            equal(0, event.contents.error, library.lib.forebay_message(library.f))
            ends.append(text_of(event.contents.bytes()))
            if number < 5:
                next_one(number + 1)
        library.submit(body("[echo:link %d]" % number), done=done)

    def enough(event):
        words.append(event.contents.bytes())
        library.lib.forebay_cancel_stream(library.f, ctypes.c_uint32(stream))

    news = []
    next_one(1)
    stream = library.submit(body("[echo:one two three four] [fake:deltas=4 drip=30]"), text=enough,
                            news=lambda event: news.append(library.id(event)),
                            done=lambda event: ends.append("canceled"))
    library.loop()
    equal(["link %d" % i for i in range(1, 6)], ends)
    equal(1, len(words), "what came after its own cancel: %s" % words)
    equal("one two three four", client.text(max(news)), "the job itself goes on")
    library.lib.forebay_close(library.f)
