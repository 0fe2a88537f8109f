#!/usr/bin/env python3
"""One model dark, the next fine: jobs with a chain are answered by it when their patience is over, the others wait;
both dark: one probe a model; and with its first acceptance the first model has its jobs back."""
from lib import Story, body, check, contains, equal

SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-5-5"
SCALE = 20  # weather seconds in a real one, for both sides


def served(client, id, text):
    reply, data = client.end_of(id)
    equal("succeeded", reply["state"], "%s" % reply)
    contains(text, data.decode())
    return reply["model_served"]


def never_two_at_once(entries, model):
    """Of the requests to a dark model none leaves before the one before it is answered."""
    of_model = [entry for entry in entries if entry["model"] == model]
    check(len(of_model) >= 3, "too few probes of %s to tell: %d" % (model, len(of_model)))
    for before, after in zip(of_model, of_model[1:]):
        check(after["t"] >= before["t_end"], "two probes of %s at once:\n  %s\n  %s" % (model, before, after))


with Story() as story:
    api = story.fakeapi("always ttfb=300 gen=600 refuse=200; dark model=*haiku* clear", "--time-scale", str(SCALE))
    daemon = story.daemon(api, config=story.file("chains.conf", "[chain soon]\nmodels = %s, %s\npatience = 4s\n"
                                                 "[chain stays]\nmodels = %s, %s\npatience = never\n" % (
                                                     SONNET, HAIKU, SONNET, HAIKU)),
                          env={"FOREBAY_TIME_SCALE": str(SCALE)})
    client = daemon.client(timeout=60)

    def submit(tag, **options):
        return client.submit(body("[tag:%s] [echo:%s]" % (tag, tag), model=SONNET), **options)

    # The first to come makes the dark known; from then on the gate's age decides.
    chain = [SONNET, HAIKU]
    normal = {"n%d" % i: submit("n%d" % i, chain=chain) for i in range(12)}
    alone = {"a%d" % i: submit("a%d" % i) for i in range(6)}
    patient = submit("patient", chain=chain, **{"class": "patient"})
    stays = submit("stays", chain="stays")
    for tag, id in normal.items():
        equal(HAIKU, served(client, id, tag), tag)
    entries = api.entries()
    began = min(entry["t"] for entry in entries if entry["model"] == SONNET)
    moved = min(entry["t"] for entry in entries if entry["model"] == HAIKU)
    check((moved - began) * SCALE >= 9.0, "moved after %.1f s: patience is ten" % ((moved - began) * SCALE))

    # It has been dark for longer than anybody's patience: who comes now goes on at once, by class or by chain.
    for i, options in enumerate(({"chain": chain, "class": "interactive"}, {"chain": chain}, {"chain": "soon"})):
        equal(HAIKU, served(client, submit("late%d" % i, **options), "late%d" % i), "%s" % options)

    # What it says while it waits, and what was done afterwards.
    shown, _ = client.show(patient)
    if shown["state"] == "queued":  # else it is the probe just now
        contains(SONNET + " dark", shown["waiting"])
        contains("else %s open" % HAIKU, shown["waiting"])
    job, attempts = client.show(normal["n0"])
    equal((SONNET, HAIKU), (job["model"], attempts[-1]["model"]))
    contains(HAIKU, daemon.cli("show", normal["n0"]).stdout)
    got = daemon.cli("submit", "--wait", "--chain", "%s,%s" % (SONNET, HAIKU), "-",
                     stdin=body("[tag:cli] [echo:cli]", model=SONNET))
    contains("answered by %s instead of %s" % (HAIKU, SONNET), got.stderr, "who answered is said")

    # Those without a chain are all still there, and so is who asked to stay.
    for id in (*alone.values(), patient, stays):
        job, _ = client.show(id)  # running: it is the probe, and will be refused
        check(job["state"] in ("queued", "running"), "it should wait: %s" % job)

    # Both dark: everybody waits, each model has one probe of its own.
    api.control("always refuse=200; dark")
    more = {"m%d" % i: submit("m%d" % i, chain=chain) for i in range(8)}
    client.until_status(lambda status: all(gate["weather"] == "dark" for gate in status["gates"]
                                           if gate["kind"] == "model"))
    since = api.stats()["arrivals"]
    api.until(arrivals=since + 16)
    tail = api.entries()[since:]
    for model in (SONNET, HAIKU):
        never_two_at_once(tail, model)
    check(all(not entry["accepted"] for entry in tail), "it was dark")

    # The weather clears: all come back to the first model, the waiting ones and the new.
    api.control("calm")
    for tag, id in {**alone, "patient": patient, "stays": stays}.items():
        equal(SONNET, served(client, id, tag), tag)
    for tag, id in more.items():
        served(client, id, tag)
    equal(SONNET, served(client, submit("back", chain=chain), "back"))
    equal((0, 0), tuple(client.request("status")[0]["queue"][state] for state in ("failed", "expired")))
    equal(0, api.stats()["accepted_again"], "jobs that were paid for twice")

    # Alone it cannot make the dark known: refused for longer than its patience, it goes on all the same.
    api.control("always ttfb=300 gen=600 refuse=200; dark model=*haiku* clear")
    equal(HAIKU, served(client, submit("lonely", chain="soon"), "lonely"))
    equal("claude-sonnet-5-5", api.attempts("lonely")[0]["model"])
