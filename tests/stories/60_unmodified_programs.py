#!/usr/bin/env python3
"""Programs that know the API alone get what the API says: messages, streams, its errors, its other paths."""
import os, shutil
from facade_client import Connection, ask, create, path_of
from lib import MODEL, Story, body, check, contains, equal, eventually, text_of

with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)

    # A message, as the API made it: the job asks for a stream and puts it together again.
    request = body("[echo:forty-two]")
    answer = create(daemon, request)
    equal((200, "application/json"), (answer.status, answer.headers["content-type"]))
    equal("forty-two", text_of(answer.data))
    check(answer.headers["request-id"].startswith("req_"), "the API's request-id: %s" % answer.headers)
    job, attempts = daemon.client().show(int(answer.headers["x-forebay-job"]))
    equal(("succeeded", "interactive", True), (job["state"], job["class"], job.get("ephemeral")))
    equal(attempts[0]["request_id"], answer.headers["request-id"])

    # A stream, byte for byte. Two of the same job differ only in their ids.
    for _ in range(2):
        answer = create(daemon, body("[echo:as it comes] [fake:deltas=4]", stream=True))
        equal(200, answer.status, answer.data)
        contains("text/event-stream", answer.headers["content-type"])
        check(answer.data.startswith(b"event: message_start\ndata: "), answer.data[:80])
        check(answer.data.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n'), answer.data[-80:])
        equal(4, answer.data.count(b"event: content_block_delta"))
        check(not answer.headers["request-id"].startswith("req_forebay_"), answer.headers["request-id"])

    # All spellings of the path, one connection, query and headers go along, credentials do not.
    connection = Connection(daemon)
    for path in ("/v1/messages", "/messages", "/v1/v1/messages", "/v1/messages?beta=true"):
        answer = create(daemon, body("[tag:p] [echo:%s]" % path), {
            "anthropic-beta": "one-2025-01-01,two-2025-01-01", "x-app": "cli", "authorization": "Bearer dummy",
            "cookie": "a=b", "accept-encoding": "gzip", "connection": "x-hop", "x-hop": "1"},
            path=path, connection=connection)
        equal((200, path), (answer.status, text_of(answer.data)))
    entry = api.attempts("p")[-1]
    sent = {name.lower(): value for name, value in entry["headers"].items()}
    equal(("one-2025-01-01,two-2025-01-01", "2023-06-01", "cli", "story/1"),
          (sent["anthropic-beta"], sent["anthropic-version"], sent["x-app"], sent["user-agent"]))
    for name in ("cookie", "x-hop", "x-api-key", "accept-encoding"):
        check(name not in sent, "%s must not go along: %s" % (name, sent))

    # What the API refuses for good comes back as it said it, once.
    answer = create(daemon, body("[tag:no] [fake:400]"))
    equal((400, "false"), (answer.status, answer.headers["x-should-retry"]))
    equal("invalid_request_error", answer.error()[0])
    equal(1, len(api.attempts("no")))
    answer = create(daemon, body("[tag:gone] [fake:404]", stream=True))
    equal((404, "not_found_error"), (answer.status, answer.error()[0]))

    # What cannot be a request is refused here.
    for wrong, words in ((b"", "JSON"), (b"{", ""), (b'{"model":"m"}', "messages")):
        answer = create(daemon, wrong)
        equal((400, "invalid_request_error"), (answer.status, answer.error()[0]), wrong)
        contains(words, answer.error()[1])

    # The other paths.
    answer = ask(daemon, "POST", "/v1/messages/count_tokens", body("how many"))
    equal(200, answer.status, answer.data)
    check(answer.json()["input_tokens"] > 0, answer.data)
    answer = ask(daemon, "GET", "/v1/models?limit=1000")
    equal(200, answer.status, answer.data)
    check(any(model["id"] == MODEL for model in answer.json()["data"]), answer.data)
    equal((200, MODEL), (lambda a: (a.status, a.json()["id"]))(ask(daemon, "GET", "/v1/models/" + MODEL)))
    for path in ("/", "/api/hello", "/v1/messages"):
        answer = ask(daemon, "HEAD", path)
        equal((200, b""), (answer.status, answer.data))
    equal("ok", ask(daemon, "GET", "/healthz").json()["status"])
    contains(b"forebay_jobs_succeeded_total", ask(daemon, "GET", "/metrics").data)
    for method, path, status, kind in (("GET", "/v1/files", 404, "not_found_error"),
                                       ("GET", "/v1/models/../files", 404, "not_found_error"),
                                       ("DELETE", "/v1/messages", 405, "invalid_request_error"),
                                       ("GET", "/v1/messages", 405, "invalid_request_error")):
        answer = ask(daemon, method, path)
        equal((status, kind, "false"), (answer.status, answer.error()[0], answer.headers["x-should-retry"]), path)
        check(answer.headers["request-id"].startswith("req_forebay_"), answer.headers)

    # Other parts of the API are passed on, where that is wanted: it is the API that does not know them.
    daemon.stop()
    check(not os.path.exists(path_of(daemon)), "the socket is taken away")
    daemon = daemon.again("http.unknown_paths=pass")
    answer = ask(daemon, "GET", "/v1/files?limit=1")
    equal((404, "not_found_error"), (answer.status, answer.json()["error"]["type"]))
    check(not answer.headers["request-id"].startswith("req_forebay_"), answer.headers)
    equal(405, ask(daemon, "DELETE", "/v1/files/x").status)
    daemon.stop()

    # Nowhere, or where the service manager says.
    daemon = daemon.again("http.socket=off")
    check(not os.path.exists(path_of(daemon)), "off is off")
    daemon.stop()
    tool = shutil.which("systemd-socket-activate")
    if tool:
        daemon = story.daemon(api, name="handed", ready=False, prefix=(
            tool, "-l", os.path.join(story.dir, "handed-http.sock"), "-l", os.path.join(story.dir, "handed.sock"),
            "--fdname=http:forebay", *("--setenv=" + name for name in ("HOME", "PATH", "NOTIFY_SOCKET"))))
        eventually(lambda: os.path.exists(path_of(daemon)), "it listens")
        equal("handed over", text_of(create(daemon, body("[echo:handed over]")).data))
        daemon.until_notice("READY=1")
