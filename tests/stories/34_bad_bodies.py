#!/usr/bin/env python3
"""Each kind of bad body is refused before it is queued, with a sentence that says what and where."""
from lib import Story, body, check, equal, refused

GOOD = body("[echo:good]")
TURN = b'"messages":[{"role":"user","content":"x"}]'


def with_value(text):
    """A whole request with this value in a member that nobody looks at."""
    return b'{"model":"m","max_tokens":1,"x":' + text + b"," + TURN + b"}"


# What is sent, and words of the sentence.
BODIES = (
    (b"   ", "JSON"), (b"{", "byte "), (b"hello", "byte "), (b"[]", "object"), (b"7", "object"), (b"null", "object"),
    (GOOD + b"x", "byte %d" % len(GOOD)), (GOOD + GOOD, "byte %d" % len(GOOD)), (GOOD[:-1], "byte "),
    (b"\xef\xbb\xbf" + GOOD, "byte 0"), (GOOD.replace(b'"', b"'"), "byte "), (b"{" + TURN + b",}", "byte "),
    (with_value(b"NaN"), "byte 32"), (with_value(b"Infinity"), "byte "), (with_value(b"-"), "byte "),
    (with_value(b"01"), "byte "), (with_value(b"1."), "byte "), (with_value(b"1e"), "byte "), (with_value(b"+1"), "byte "),
    (with_value(b"TRUE"), "byte "), (with_value(b"/* */1"), "byte "), (with_value(b"[1,]"), "byte "),
    (with_value(b'"\x01"'), "byte "), (with_value(b'"\n"'), "byte "), (with_value(b'"\\x"'), "byte "),
    (with_value(b'"\\u12"'), "byte "), 
    # UTF-8: overlong, surrogates, too high, cut, a lone continuation.
    (with_value(b'"\xc0\xaf"'), "UTF-8"), (with_value(b'"\xe0\x80\xaf"'), "UTF-8"), (with_value(b'"\xf0\x80\x80\xaf"'), "UTF-8"),
    (with_value(b'"\xed\xa0\x80"'), "UTF-8"), (with_value(b'"\xf4\x90\x80\x80"'), "UTF-8"), (with_value(b'"\xe2\x82"'), "UTF-8"),
    (with_value(b'"\x80"'), "UTF-8"), (with_value(b'"\xff"'), "UTF-8"),
    # Depth.
    (with_value(b"[" * 513 + b"]" * 513), "nested too deeply"), (with_value(b'{"a":' * 600 + b"1" + b"}" * 600), "nested too deeply"),
    (with_value(b"[" * 1000000), "nested too deeply"),
    # Members we look at: twice, in disguise, missing, of the wrong kind.
    (b'{"model":"a","model":"b","max_tokens":1,' + TURN + b"}", "model", "twice"),
    (b'{"model":"a","max_tokens":1,"max_tokens":2,' + TURN + b"}", "max_tokens", "twice"),
    (b'{"model":"a","max_tokens":1,' + TURN + b"," + TURN + b"}", "messages", "twice"),
    (b'{"model":"a","max_tokens":1,"stream":true,"stream":false,' + TURN + b"}", "stream", "twice"),
    (b'{"mod\\u0065l":"a","max_tokens":1,' + TURN + b"}", "escape"),
    (b'{"model":"a","mod\\u0065l":"b","max_tokens":1,' + TURN + b"}", "escape"),
    (b'{"max_tokens":1,' + TURN + b"}", "model"), (b'{"model":"a","max_tokens":1}', "messages"), (b"{}", "missing"),
    (b'{"model":7,"max_tokens":1,' + TURN + b"}", "model"), (b'{"model":"","max_tokens":1,' + TURN + b"}", "model"),
    (b'{"model":"a\\n","max_tokens":1,' + TURN + b"}", "model"), (b'{"model":null,"max_tokens":1,' + TURN + b"}", "model"),
    (b'{"model":"a","max_tokens":"1",' + TURN + b"}", "max_tokens"), (b'{"model":"a","max_tokens":1,"messages":{}}', "messages"),
    (b'{"model":"a","max_tokens":1,"stream":1,' + TURN + b"}", "stream"),
)

with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)
    client = daemon.client()
    failures = []
    for text, *words in BODIES:
        shown = text if len(text) < 80 else text[:60] + b"..."
        try:
            with refused("invalid-body", *words):
                client.submit(text)
        except Exception as failure:
            failures.append("%r: %s" % (shown, failure))
    check(not failures, "%d of %d:\n%s" % (len(failures), len(BODIES), "\n".join(failures)))
    equal([], api.entries(), "nothing of it was sent")
    equal(0, sum(client.request("status")[0]["queue"].values()), "nor queued")

    # What only looks bad: kept as it is.
    for text in (with_value(b"[" * 500 + b"]" * 500), with_value(b'"\\ud83d\\ude00 \xf0\x9f\x98\x80"'),
                 with_value(b"-0.0e-10"), with_value(b'{"a":1,"a":2}'), b" \t\r\n" + GOOD + b"\n\n",
                 with_value(b'"\\u0000"'), with_value(b"1" * 1000)):
        id = client.submit(text)
        _, data = client.request("show", id=id, request=True)
        check(data.endswith(text), "not byte for byte: %r" % text[:80])
