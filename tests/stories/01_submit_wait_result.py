#!/usr/bin/env python3
"""A request goes in through the command; its answer comes out, byte for byte where asked for."""
import json
from lib import Story, body, check, contains, equal, text_of

with Story() as story:
    daemon = story.daemon(story.fakeapi())

    id = daemon.cli("submit", "-l", "first", "-", stdin=body("[echo:forty-two]")).stdout.strip()
    check(id.isdigit(), "submit prints the id alone, not %r" % id)
    daemon.cli("wait", id)
    equal("forty-two\n", daemon.cli("result", id).stdout)
    raw = daemon.cli("result", "--raw", id).stdout
    equal("forty-two", text_of(raw))
    equal(json.loads(raw)["usage"]["output_tokens"],
          daemon.client().result(int(id))[0]["usage"]["output_tokens"], "the usage in the reply")

    # All in one, and from words.
    equal("at once\n", daemon.cli("submit", "--wait", "-", stdin=body("[echo:at once]")).stdout)
    equal("asked\n", daemon.cli("ask", "[echo:asked]").stdout)
    equal("piped\n", daemon.cli("ask", "Say it:", stdin="[echo:piped]").stdout)

    # The request reached the API as it was written, byte for byte.
    odd = b'{ "max_tokens":7,\n "model":"claude-sonnet-5-5" , "messages":[ {"role":"user","content":"\\u00e9 [tag:odd]"}]}'
    daemon.cli("submit", "--wait", "--transport", "plain", "-", stdin=odd)
    entry = story.api.attempts("odd")[0]
    equal(odd, story.api.ask("GET", "/_body?seq=%d" % entry["seq"])[1], "the body that was sent")
    contains("odd", daemon.cli("show", "--request", "@last").stdout)

    # What cannot be a request is refused at the door, with the reason.
    contains("model", daemon.cli("submit", "-", stdin='{"max_tokens":1,"messages":[{}]}', status=2).stderr)
    daemon.cli("result", "99", status=4)
