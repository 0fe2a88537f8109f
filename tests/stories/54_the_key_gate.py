#!/usr/bin/env python3
"""A refused key and an empty purse close the key's gate: all wait, uncounted, told why, and one line alerts."""
import calendar
import time
from classes import Row, gate_of, open_gates, said
from journal import Journal
from lib import Story, body, check, contains, equal

KEY_REFUSED, BILLING_PAUSE = "c1a7f6ea52f54b7f8d1e2f6b7a8c9d13", "9d3e8b7c6a5f4e3d8c2b1a0f9e8d7c14"
INVALID, LIMIT = "invalid_request_error", "rate_limit_error"
CONSOLE, NEW_KEY, RELEASE = "Fix it in the Anthropic console", "Put the right key in place", "`forebay release key`"

BILLING = [
    Row("spend", 429, LIMIT, "enforced_spend_limit_reached", "429 spend limit of the tier", RELEASE),
    Row("contract", 429, LIMIT, "contract_spend_limit_reached", "429 spend limit of the contract", RELEASE),
    Row("usage", 400, INVALID, None, "400 own usage limit", "wait for the date"),
    Row("credit", 400, INVALID, None, "400 credit used up", "Buy credit"),
    Row("billing", 402, "billing_error", "linked_organization_spend_limit_reached",
        "402 limit of the linked organization", CONSOLE),
    Row("linked", 402, "billing_error", "linked_organization_billing_unavailable",
        "402 billing of the linked organization", CONSOLE),
    Row("402", 402, "billing_error", None, "402 billing", CONSOLE),
    Row("400-billing", 400, "billing_error", None, "billing, under another status", CONSOLE),
    Row("402-blank", 402, None, None, "402, without the usual body", CONSOLE),
    Row("billing-first", 200, "billing_error", None, "402 billing", CONSOLE),
    Row("billing-mid", 200, "billing_error", None, "402 billing", CONSOLE),
]
DATED = ("spend", "contract", "usage")
AUTH = [
    Row("401", 401, "authentication_error", None, "401 key refused", NEW_KEY),
    Row("401-blank", 401, None, None, "401, without the usual body", NEW_KEY),
    Row("401-html", 401, None, None, "401, without the usual body", NEW_KEY),
    Row("on-hold", 400, INVALID, "organization_on_hold", "organization on hold", CONSOLE),
    Row("key-creator", 400, INVALID, "claude_code_key_creator_not_member", "key without an owner", NEW_KEY),
    Row("cmek-disabled", 400, INVALID, "cmek_key_disabled", "encryption key disabled", CONSOLE),
    Row("403", 403, "permission_error", None, "403 not permitted", CONSOLE),
    Row("403-blank", 403, None, None, "403, without the usual body", CONSOLE),
    Row("403-html", 403, None, None, "403, without the usual body", CONSOLE),
    Row("auth-first", 200, "authentication_error", None, "401 key refused", NEW_KEY),
    Row("auth-start", 200, "authentication_error", None, "401 key refused", NEW_KEY),
]


def until_closed(client):
    client.until_status(lambda status: any(gate["name"] == "key" and gate["weather"] == "held"
                                           for gate in status["gates"]) and status["in_flight"] == 0)


def alerts(daemon):
    return [line for line in daemon.log_text().decode().splitlines() if "error: the key's gate is closed" in line]


def close(row, outcome, words, suffix=""):
    """One row: closed by it, everybody waits, opened by hand, everybody is served."""
    tag, before = "key-" + row.fault, len(alerts(daemon))
    id = client.submit(body("[tag:%s] [echo:%s] [fake:%s%s*1]" % (tag, tag, row.fault, suffix), model="m-" + tag),
                       attempts=1)
    until_closed(client)
    other = client.submit(body("[tag:other-%s] [echo:other]" % tag, model="m-other"))
    job, attempt = client.rows("show", id=id)
    equal(("queued", 0, 1), (job["state"], job["attempts"], job["tries"]), tag)
    equal((outcome, row.status, row.type, row.code, False),
          (attempt["outcome"], attempt["http_status"], attempt.get("error_type"), attempt.get("error_code"),
           attempt["counted"]), tag)

    # The gate says why and until when; so do its jobs, whoever they are.
    gate = gate_of(client, "key")
    contains(words, gate["words"], tag)
    equal(attempt.get("message", gate.get("reason")), gate.get("reason"), "the API's own reason, " + tag)
    for waiting in (job["waiting"], client.show(other)[0]["waiting"], daemon.cli("gates").stdout):
        contains("key", waiting)
        contains(words, waiting)
        contains(attempt.get("message", "")[:40], waiting)
    explained = daemon.cli("explain", id).stdout
    for part in (words, row.name, row.advice):
        contains(part, explained, "explain " + tag)
    if row.type and row.status > 200:
        said(daemon, "%d %s %s: %s" % (row.status, row.type, row.code or "", attempt["message"]), row, "pasted")
    if suffix:
        until = calendar.timegm(time.strptime(gate["held_until"][:19], "%Y-%m-%dT%H:%M:%S"))
        check(3590 < until - time.time() < 3610, "held until %s" % gate["held_until"])

    # One line, with the request that it was.
    equal(before + 1, len(alerts(daemon)), "alerts of " + tag)
    contains(row.name, alerts(daemon)[-1])
    contains("request=" + attempt["request_id"], alerts(daemon)[-1])
    equal((1, 0), (len(api.attempts(tag)), len(api.attempts("other-" + tag))), "requests while it is closed")
    open_gates(client, "host", "m-" + tag)

    equal("key", daemon.cli("release", "key").stdout.strip())
    equal([tag, "other"], [client.text(job) for job in (id, other)])
    equal("open", gate_of(client, "key")["weather"])


with Story() as story:
    api = story.fakeapi("ttfb=2 gen=10")
    daemon = story.daemon(api)
    client = daemon.client()
    for row in BILLING:
        close(row, "billing", "a spending limit or missing credit", " until=1h" if row.fault in DATED else "")
    for row in AUTH:
        close(row, "auth", "the API key was refused")

    # Many are refused at once: still one line, and nobody has failed.
    before = len(alerts(daemon))
    api.control("always ttfb=2 gen=2s auth-mid")
    words = ["c%d%s" % (i, 20 * " and so on") for i in range(40)]
    ids = [client.submit(body("[echo:%s]" % text, model="m-crowd-%d" % (len(text) % 4)), attempts=1) for text in words]
    until_closed(client)
    check(api.stats()["by_fault"]["auth-mid"] > 10, "they should have been refused together")
    equal(before + 1, len(alerts(daemon)), "alerts of a crowd")
    api.control("always ttfb=2 gen=10")
    client.request("release", target="key")
    equal(words, [client.text(id) for id in ids])

    # Only its deadline ends a job that waits for a key.
    id = client.submit(body("[fake:401]"), deadline_ms=500)
    reply, _ = client.end_of(id)
    equal(("expired", "deadline", 0), (reply["state"], reply["error"], reply["attempts"]))
    equal(0, client.request("status")[0]["queue"]["failed"])
    daemon.stop()

    # What a service manager's journal gets to see.
    if Journal.possible():
        journal = Journal(story)
        daemon = daemon.again(prefix=journal.prefix)
        client = daemon.client()
        client.request("release", target="key")
        for fault, message_id in (("401", KEY_REFUSED), ("spend", BILLING_PAUSE)):
            journal.gather()
            journal.entries.clear()
            id = client.submit(body("[tag:j-%s] [echo:told] [fake:%s*1]" % (fault, fault)))
            until_closed(client)
            told = [entry for entry in journal.gather() if entry.get("MESSAGE_ID") == message_id]
            equal(1, len(told), "entries: %s" % journal.entries)
            equal(("3", client.show(id)[1][0]["request_id"]), (told[0]["PRIORITY"], told[0]["FOREBAY_REQUEST_ID"]))
            client.request("release", target="key")
            equal("told", client.text(id))
        check(not any(story.key in value for entry in journal.entries for value in entry.values()), "the key")
