#!/usr/bin/env python3
"""A 429 holds its bucket as long as it says and no other; the user's pace holds on the wire, and a new one at once."""
from lib import Story, body, check, equal

# The API's clock and ours round differently.
TICK = 0.002
# Between two arrivals whoever reads them may have been asleep.
ASLEEP = 0.25


def spaced(entries, seconds):
    """Each at least so long after the one before, and all of them together."""
    times = [entry["t"] for entry in entries]
    for before, after in zip(times, times[1:]):
        check(after - before >= seconds - ASLEEP, "only %.3f s apart: %s" % (after - before, times))
    check(times[-1] - times[0] >= (len(times) - 1) * seconds - ASLEEP, "too many: %s" % times)


def bounded(entries, burst, rate):
    """Never more than this in any span of time."""
    times = [entry["t"] for entry in entries]
    for i, first in enumerate(times):
        for count, last in enumerate(times[i:], 1):
            check(count <= burst + rate * (last - first + ASLEEP), "%d in %.3f s: %s" % (
                count, last - first, times))


def two_buckets(story):
    """One of a family is told to wait: so does the other, and nobody else."""
    api = story.fakeapi("ttfb=5 gen=5")
    client = story.daemon(api, name="two").client()
    told = client.submit(body("[tag:told] [echo:told] [fake:429 retry-after=2*1]", model="claude-opus-4-8"))
    api.until(tag="told", arrivals=1)
    client.until_status(lambda status: status["in_flight"] == 0)
    family = client.submit(body("[tag:family] [echo:family]", model="claude-opus-4-7"))
    other = client.submit(body("[tag:other] [echo:other]", model="claude-haiku-5-5"))
    equal(["other", "told", "family"], [client.text(id) for id in (other, told, family)])
    refused = api.attempts("told")[0]["t_end"]
    check(api.attempts("other")[0]["t"] - refused < 2, "another bucket waited, too")
    for entry in (api.attempts("told")[1], api.attempts("family")[0]):
        check(entry["t"] - refused >= 2 - TICK, "earlier than it was told: %s" % entry)
    equal([2, 1, 1], [len(api.attempts(tag)) for tag in ("told", "family", "other")])


def nobody_said_when(story):
    """Without retry-after: when the limit that has nothing left is full again."""
    limit = 400  # tokens a minute; what is left is told in thousands: none
    api = story.fakeapi("always ttfb=5 gen=5 itpm=%d" % limit)
    client = story.daemon(api, name="reset").client()
    text = "[tag:first] [echo:x]"
    equal("x", client.text(client.submit(body(text))))
    equal("x", client.text(client.submit(body("[tag:second] [echo:x] [fake:429*1]"))))
    first, refused, second = api.entries()
    equal([200, 429, 200], [entry["status"] for entry in (first, refused, second)])
    used = (len('[{"role": "user", "content": "%s"}]' % text)) // 4 + 8
    full = first["t"] + used * 60 / limit
    check(second["t"] >= full - TICK, "it is full at %.3f: %s" % (full, second))
    check(full - refused["t_end"] > 0.5, "there was nothing to wait for")


def never_twice(story):
    """A bucket of one: the second is refused, before anybody could know. No third."""
    api = story.fakeapi("always ttfb=5 gen=5 rpm=120 burst=1")
    client = story.daemon(api, name="twice").client()
    client.request("hold", target="all")
    ids = [client.submit(body("[tag:n%d] [echo:n%d]" % (i, i))) for i in range(9)]
    client.request("release", target="all")
    equal(["n%d" % i for i in range(9)], [client.text(id) for id in ids])
    refused = [entry for entry in api.entries() if entry["status"] == 429]
    check(len(refused) <= 1, "refused again: %s" % refused)
    for entry in refused:
        between = [later for later in api.entries()
                   if entry["t_end"] + 0.05 < later["t"] < entry["t_end"] + 1 - TICK]
        equal([], between, "sent while it was told to wait")


def too_steep(story):
    """After a ramp limit they start small, all models of the bucket."""
    models = ("claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6")
    api = story.fakeapi("ttfb=300 gen=5")
    client = story.daemon(api, name="ramp").client()
    for wave in range(3):
        for id in [client.submit(body("[echo:%d %d]" % (wave, i), model=models[i % 3])) for i in range(12)]:
            client.text(id)
    api.ask("POST", "/_reset")
    steep = client.submit(body("[tag:steep] [echo:steep] [fake:ramp retry-after=1*1]", model=models[0]))
    api.until(tag="steep", arrivals=1)
    client.until_status(lambda status: status["in_flight"] == 0)
    for id in [client.submit(body("[echo:late %d]" % i, model=models[i % 3])) for i in range(15)] + [steep]:
        client.text(id)
    refused, *later = api.entries()
    equal(429, refused["status"])
    check(later[0]["t"] - refused["t_end"] >= 1 - TICK, "earlier than it was told: %s" % later[0])
    first_answer = min(entry["t_first"] for entry in later)
    at_once = [entry for entry in later if entry["t"] < first_answer]
    check(len(at_once) <= 6, "%d at once" % len(at_once))  # two of each model
    check(len(later) == 16, "%d requests" % len(later))


def pace(story):
    """The spacing is kept on the wire, for all models together; a new one counts from now on."""
    api = story.fakeapi("ttfb=20 gen=20")
    config = story.file("pace.conf", "[pace]\nmin_spacing = 500ms\n")
    client = story.daemon(api, name="pace", config=config).client()
    models = ("claude-haiku-5-5", "claude-sonnet-5-5")
    ids = [client.submit(body("[echo:p%d]" % i, model=models[i % 2])) for i in range(20)]
    api.until(arrivals=6)
    spaced(api.entries()[:6], 0.5)

    # So many a minute for one of them, the other as fast as it likes.
    story.file("pace.conf", "[pace %s]\nrequests_per_minute = 240\n" % models[0])
    equal(True, client.request("reload")[0]["reloaded"])
    for id in ids:
        client.text(id)
    sent = len(api.entries())
    equal(20, sent)
    ids = [client.submit(body("[echo:q%d]" % i, model=models[i % 2])) for i in range(32)]
    for id in ids:
        client.text(id)
    paced, free = ([entry for entry in api.entries()[sent:] if entry["model"] == model] for model in models)
    equal((16, 16), (len(paced), len(free)))
    bounded(paced, 4, 4)
    check(free[-1]["t"] < paced[-1]["t"], "one model's pace kept another")

    # None any more: what waits goes now.
    ids = [client.submit(body("[echo:r%d]" % i, model=models[0])) for i in range(40)]
    api.until(arrivals=sent + 32 + 2)
    story.file("pace.conf", "")
    equal(True, client.request("reload")[0]["reloaded"])
    for id in ids:
        client.text(id)
    times = [entry["t"] for entry in api.entries()[sent + 32:]]
    check(times[-1] - times[0] < 40 / 4 - 4, "the old pace went on: %.3f s" % (times[-1] - times[0]))


for part in (two_buckets, nobody_said_when, never_twice, too_steep, pace):
    with Story() as story:
        part(story)
