#!/usr/bin/env python3
"""What is wrong with a request, or with its model, ends the job at once, with the API's own words; no gate moves."""
from classes import FAST, QUICK, Class, Row, gate_of, open_gates
from lib import Story, equal

CORRECT, AGAIN = "Correct the request", "Correct it and submit it again"
INVALID = "invalid_request_error"

REQUESTS = [
    Row("400", 400, INVALID, None, "400 invalid request", AGAIN),
    Row("400-blank", 400, None, None, "request refused", "correct the request"),
    Row("400-huge", 400, None, None, "request refused", "correct the request"),
    Row("400-utf8", 400, None, None, "request refused", "correct the request"),
    Row("400-control", 400, INVALID, None, "400 invalid request", AGAIN),
    Row("prefill", 400, INVALID, None, "400 prefill", "End the messages with one of the user"),
    Row("too-long", 400, INVALID, None, "400 prompt too long", "Shorten the input"),
    Row("signature", 400, INVALID, None, "400 thinking signature", "exactly as they came"),
    Row("max-tokens", 400, INVALID, None, "400 max_tokens too large", "Lower max_tokens"),
    Row("beta", 400, INVALID, None, "400 unknown beta", "ask for access"),
    Row("temperature", 400, INVALID, None, "400 temperature and top_p", "Drop one of them"),
    Row("not-enrolled", 400, INVALID, "organization_not_enrolled_in_beta", "400 not in the beta", "or enroll"),
    Row("image", 400, INVALID, "image_dimensions_too_large", "400 image too large", "Scale it down"),
    Row("charset", 400, INVALID, "unsupported_charset", "400 charset", "Send UTF-8"),
    Row("encoding", 400, INVALID, "request_body_encoding_invalid", "400 bad compression", "uncompressed"),
    Row("encoding-unknown", 400, INVALID, "request_body_encoding_unsupported", "400 unknown compression",
        "uncompressed"),
    Row("404-other", 404, "not_found_error", None, "404 not found", "Check the ids"),
    Row("404-blank", 404, None, None, "404, without the usual body", "Check [upstream] url"),
    Row("404-html", 404, None, None, "404, without the usual body", "Check [upstream] url"),
    Row("412", 412, INVALID, None, "412 precondition failed", CORRECT),
    Row("413", 413, None, None, "413 request too large", "Send less"),
    Row("413-json", 413, "request_too_large", None, "413 request too large", "Send less"),
    Row("413-decoded", 413, "request_too_large", "request_body_too_large_after_decoding", "413 request too large",
        "Send less"),
    Row("418", 418, "teapot_error", None, "request refused", "correct the request"),
    Row("422", 422, INVALID, None, "422 unprocessable", CORRECT),
    Row("431", 431, None, None, "431 headers too large", "Send fewer betas"),
    Row("501", 501, "not_found_error", None, "501 not implemented", CORRECT),
]
EVENTS = [
    Row("invalid-first", 200, INVALID, None, "400 invalid request", AGAIN),
    Row("invalid-start", 200, INVALID, None, "400 invalid request", AGAIN),
    Row("invalid-mid", 200, INVALID, None, "400 invalid request", AGAIN),
]
MODELS = [
    Row("404", 404, "not_found_error", None, "404 no such model", "give the job a chain"),
    Row("403-model", 403, "permission_error", None, "403 model not permitted", "Ask for access"),
]

with Story() as story:
    api = story.fakeapi("ttfb=2 gen=10")
    daemon = story.daemon(api, *QUICK, env=FAST)
    client = daemon.client()
    for transport in ("stream", "plain"):
        Class(api, daemon, REQUESTS, "request", True, transport).end("api-error", 1)
        Class(api, daemon, MODELS, "model", True, transport).end("refused-by-model", 1)
    Class(api, daemon, EVENTS, "request", True).end("api-error", 1)

    # Nobody was out of capacity, nothing was broken, the key is good.
    for gate in client.request("gates")[0]["gates"]:
        equal(("open", 0, 0), (gate["weather"], gate["refused_share"], gate["in_flight"]), "%s" % gate)

    # Unless the API says that it may be tried again.
    rows = [row for row in REQUESTS + MODELS if row.fault != "signature"]  # another request, or none
    Class(api, daemon, rows, "fault", True, what="said", suffix=" should-retry=true").come_again()
    open_gates(client, "key", "host")
    equal(None, gate_of(client, "m-never-asked"))
