#!/usr/bin/env python3
"""Headers say what a program cannot: class, label, chain, deadline; and errors say whether to ask again."""
import http.server, json, threading
from facade_client import create
from lib import Story, body, check, contains, equal, text_of

HAIKU = "claude-haiku-5-5"
LONG_AGO = "2023-06-01"


class Recorder(http.server.BaseHTTPRequestHandler):
    """An API that notes what it is asked."""
    seen = []

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.seen.append((self.path, self.headers.items()))
        answer = json.dumps({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
                             "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


with Story() as story:
    api = story.fakeapi()
    config = story.file("conf", "[chain cheaper]\nmodels = claude-sonnet-5-5, %s\npatience = 100ms\n" % HAIKU)
    daemon = story.daemon(api, "queue.attempts=2", "http.keepalive=none", "http.hold=1h", config=config,
                          env={"FOREBAY_TIME_SCALE": "20"})
    client = daemon.client()

    def job_of(headers, text="[echo:x]", **more):
        answer = create(daemon, body(text, **more), headers)
        equal(200, answer.status, answer.data)
        return client.show(int(answer.headers["x-forebay-job"]))[0], answer

    job, _ = job_of({"x-forebay-class": "patient", "x-forebay-label": "nightly", "x-forebay-priority": "-7",
                     "x-forebay-deadline": "90s"})
    equal(("patient", "nightly", -7), (job["class"], job["label"], job["priority"]))
    job, _ = job_of({"x-claude-code-session-id": "5f0c"})
    equal("5f0c", job["label"])
    job, _ = job_of({"x-forebay-durable": "true"})
    check(not job.get("ephemeral"), job)

    # Moved to another model: said beside the answer, which says so itself.
    client.request("hold", target="claude-sonnet-5-5")
    for chain in ("cheaper", "claude-sonnet-5-5, " + HAIKU):
        _, answer = job_of({"x-forebay-chain": chain})
        equal((HAIKU, HAIKU), (answer.headers["x-forebay-model-served"], answer.json()["model"]))
    client.request("release", target="claude-sonnet-5-5")
    _, answer = job_of({})
    check("x-forebay-model-served" not in answer.headers, answer.headers)

    # Mistakes are named.
    for name, value, words in (("class", "fast", "interactive, normal or patient"), ("label", "", "1 to 256"),
                               ("label", "x" * 257, "1 to 256"), ("deadline", "soon", "90s"), ("deadline", "0s", "90s"),
                               ("priority", "101", "-100 to 100"), ("durable", "perhaps", "1 or 0"),
                               ("batch", "yes", "never, allow"), ("batch", "only", "batch"),
                               ("chain", "nobody", "there is no chain"), ("chain", ",", "1 to 8"),
                               ("chain", ",".join("abcdefghi"), "1 to 8"), ("colour", "red", "no such option")):
        answer = create(daemon, body("[tag:wrong]"), {"x-forebay-" + name: value})
        equal((400, "invalid_request_error", "false"),
              (answer.status, answer.error()[0], answer.headers["x-should-retry"]), name)
        contains(words, answer.error()[1])
    equal([], api.attempts("wrong"))

    # Errors that stay, in the API's words, whatever came: retried here, and not again.
    for fault, status, kind in (("500", 500, "api_error"), ("502", 502, "api_error"), ("504-html", 504, "timeout_error"),
                                ("400", 400, "invalid_request_error"), ("413", 413, "request_too_large"),
                                ("422", 422, None), ("reset", 502, "api_error")):
        for stream in (False, True):
            tag = "%s-%s" % (fault, stream)
            answer = create(daemon, body("[tag:%s] [fake:%s]" % (tag, fault), stream=stream))
            equal((status, "false", "application/json"),
                  (answer.status, answer.headers["x-should-retry"], answer.headers["content-type"]), tag)
            if kind:
                equal(kind, answer.error()[0], tag)
            check("retry-after" not in answer.headers, tag)
            job_of({})  # good weather: a host that only breaks is waited for
            check(len(api.attempts(tag)) == (2 if status >= 500 else 1), "%s: %d calls" % (tag, len(api.attempts(tag))))
    answer = create(daemon, body("[tag:late] [fake:529]"), {"x-forebay-deadline": "2s"})
    equal((504, "timeout_error", "false"), (answer.status, answer.error()[0], answer.headers["x-should-retry"]))

    # A quota: refused, and when to come back.
    daemon = story.daemon(api, "limits.queued_bytes=1K", name="small")
    answer = create(daemon, body("x" * 2000))
    equal((429, "rate_limit_error", "true", "10"),
          (answer.status, answer.error()[0], answer.headers["x-should-retry"], answer.headers["retry-after"]))

    # To the byte what is sent on: query, headers in their order; nothing of the connection's, nothing of ours.
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    daemon = story.daemon("http://127.0.0.1:%d" % server.server_address[1], "upstream.transport=plain", name="recorded")
    answer = create(daemon, body("x"), {"anthropic-beta": "a-1,b-2", "X-App": "cli", "x-stainless-lang": "js",
                                        "cookie": "c", "te": "trailers", "x-forebay-label": "l"},
                    path="/v1/messages?beta=true&x=%20y")
    equal(200, answer.status, answer.data)
    (path, headers), = Recorder.seen
    equal("/v1/messages?beta=true&x=%20y", path)
    names = [name.lower() for name, _ in headers]
    check(names.index("x-app") < names.index("x-stainless-lang"), names)
    equal([], [name for name in names if name in ("cookie", "te", "x-api-key", "accept-encoding") or
               name.startswith("x-forebay")])
    equal(["Bearer " + story.key], [value for name, value in headers if name.lower() == "authorization"])
    equal(("a-1,b-2", LONG_AGO, "story/1", "cli"), tuple(dict(headers)[name] for name in (
        "anthropic-beta", "anthropic-version", "user-agent", "X-App")))
    answer = create(daemon, body("x"), {"x-long-%d" % i: "y" * 1000 for i in range(17)})
    equal(400, answer.status)
    contains("16384", answer.error()[1])
    server.shutdown()
