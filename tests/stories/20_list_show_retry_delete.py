#!/usr/bin/env python3
"""Jobs can be found, looked into, done again and forgotten."""
import json
from lib import Story, body, check, contains, equal, refused

with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)
    client = daemon.client()
    ids = [client.submit(body("[tag:j%d] [echo:j%d]" % (i, i)), label="odd" if i % 2 else "even") for i in range(250)]
    bad = client.submit(body("[tag:bad] [fake:400*1] [echo:better]"), label="odd")
    client.wait(*ids, bad)

    # Page by page, newest first, nothing twice.
    seen, after = [], {}
    while True:
        reply, data = client.request("list", limit=60, **after)
        seen += [json.loads(line)["id"] for line in data.splitlines()]
        if "next" not in reply:
            break
        after = {"after_id": reply["next"]}
    equal(sorted(ids + [bad], reverse=True), seen)
    equal(ids[1::2][::-1], [row["id"] for row in client.rows("list", label="odd", state="succeeded", limit=1000)])
    equal([bad], [row["id"] for row in client.rows("list", state="failed")])
    equal([], client.rows("list", model="claude-opus-5-5"))
    equal([], client.rows("list", since="2050-01-01T00:00:00Z"))
    equal(251, len(daemon.cli("list", "-n", 0, "--no-header").stdout.splitlines()))
    equal(str(bad), daemon.cli("list", "-q", "-s", "failed").stdout.strip())
    row = json.loads(daemon.cli("--json", "list", "-s", "failed").stdout)
    equal((bad, "failed", "odd", "api-error"), tuple(row[name] for name in ("id", "state", "label", "error")))

    job, attempts = client.show(bad)
    equal(("failed", 1), (job["state"], len(attempts)))
    equal((400, True), (attempts[0]["http_status"], attempts[0]["sent"]))
    contains("400", daemon.cli("show", bad).stdout)
    equal(body("[tag:j0] [echo:j0]"), client.request("show", id=ids[0], request=True)[1].split(b"\n", 3)[-1])

    # Again: a new job, of the same body; the old one stays as it was.
    new = client.request("retry", ids=[bad])[0]["jobs"][0]
    check(new["new_id"] > bad, "retry makes a new job")
    equal("better", client.text(new["new_id"]))
    equal("failed", client.show(bad)[0]["state"])

    # Forget: one, then by a filter.
    client.request("delete", ids=[bad])
    with refused("not-found"):
        client.show(bad)
    equal("better", client.text(new["new_id"]), "the body they shared is still there")
    again = client.request("retry", ids=[new["new_id"]])[0]["jobs"][0]["new_id"]
    equal("better", client.text(again))
    equal(125, len(daemon.cli("rm", "-l", "even", "-y").stdout.split()))
    equal([], client.rows("list", label="even"))
    client.request("hold")
    open_one = client.submit(body("open"))
    check("error" in client.request("delete", ids=[open_one])[0]["jobs"][0], "what has not ended is not forgotten")
