#!/usr/bin/env python3
"""Many jobs of eight processes through a storm: nothing is lost, nothing fails, nobody hammers.

    storm.py [--jobs N] [--phase SECONDS] [--seed N]    default 400 jobs, 4 s; LONG=1: 2000, 20 s

One phase p = 0.7, one dark, one with a limit of 12, then calm. On the fake API's own log no refused
job comes back without delay, and refusals stay within the gate's budget.
"""
from crash import *
import bisect

PROCESSES = 8
SLOTS = 32
CAP = 12
WEATHER = "always ttfb=120~0.4 gen=500~0.5 refuse=15~0.3; %gs p=0.7; %gs dark; %gs cap=%d; calm"
REST = 0.250 * 0.8          # retry_min, less its jitter
BURST = max(4, SLOTS / 4)   # refusals the gate may save up
WINDOW = max(4, SLOTS / 2)  # requests that may be without an answer when it closes


def program(told, path, number, jobs, start):
    """Submits its share at once, then fetches every answer, over one connection each."""
    patient = Patient(path, patience=600)
    tags = {"p%d-%d" % (number, i): i for i in range(jobs)}
    ids = {}

    def acknowledged(tag, reply):
        ids[tag] = reply["id"]
        told(tag=tag, id=reply["id"])
    patient.connect()
    start.wait()
    patient.submit_all({tag: (body("[tag:%s] [echo:%s]" % (tag, tag)), {}) for tag in tags}, acknowledged)
    for tag, id in ids.items():
        reply, data = patient.persist(lambda client: client.finish(client.start("follow", id=id)))
        told(tag=tag, id=id, state=reply["state"], error=reply.get("error"),
             text=text_of(data) if reply["state"] == "succeeded" else None)


def most_in(times, seconds):
    """The most of these times in any window so long."""
    return max((i + 1 - bisect.bisect_left(times, time - seconds) for i, time in enumerate(times)), default=0)


def shortest_return(entries):
    """The least time from a refusal of a job to its next arrival, and whose it was."""
    by_tag, shortest = {}, (float("inf"), None)
    for entry in entries:
        before = by_tag.get(entry["tag"])
        if before and not before["accepted"]:
            shortest = min(shortest, (entry["t"] - before["t_end"], entry["tag"]))
        by_tag[entry["tag"]] = entry
    return shortest


def check_answers(clients, jobs):
    ids, answered = {}, set()
    for fact in (fact for client in clients for fact in client.told()):
        equal(fact["id"], ids.setdefault(fact["tag"], fact["id"]), fact["tag"])
        if "state" in fact:
            equal(("succeeded", fact["tag"]), (fact["state"], fact["text"]), "%s" % fact)
            answered.add(fact["tag"])
    equal(jobs, len(answered), "jobs answered")
    equal(jobs, len(set(ids.values())), "different ids")


def check_budget(refusals):
    for seconds in (1, 2, 5, 10, 20):
        budget = SLOTS * seconds + BURST + WINDOW
        check(most_in(refusals, seconds) <= budget, "%d refusals in %d s, the budget is %d" % (
            most_in(refusals, seconds), seconds, budget))


def busy(entries):
    """Changes of how many accepted requests there are, in order: (time, +1 or -1)."""
    return sorted([(entry["t"], 1) for entry in entries if entry["accepted"]] +
                  [(entry["t_end"], -1) for entry in entries if entry["accepted"]])


def recovery(entries, since, room):
    """From the end of a phase until nine tenths of the room are used."""
    level = 0
    for when, change in busy(entries):
        level += change
        if when >= since and level >= 0.9 * room:
            return "%.1f s" % (when - since)
    return "never"


def rate(entries, since, until):
    return sum(entry["accepted"] and since <= entry["t"] < until for entry in entries) / (until - since)


def figures(entries, begin, phase):
    """What was accepted a second, beside what was possible: by the slots, and by the refusals that
    the gate allows itself, of which 0.7 / 0.3 go with each acceptance."""
    ends = [begin + phase * i for i in range(4)]
    took = [entry["t_end"] - entry["t"] for entry in entries if entry["accepted"]]
    mean = sum(took) / len(took)
    return "accepted at p=0.7 %.1f/s of %.1f, under the limit %.1f/s of %.1f, full again %s after the dark and %s after the limit" % (
        rate(entries, ends[0], ends[1]), min(SLOTS / mean, SLOTS * 0.3 / 0.7), rate(entries, ends[2], ends[3]), CAP / mean,
        recovery(entries, ends[2], CAP), recovery(entries, ends[3], SLOTS))


def main():
    begun = time.monotonic()
    given = arguments(__doc__, jobs=2000 if LONG else 400, phase=20.0 if LONG else 4.0)
    jobs = given.jobs // PROCESSES * PROCESSES
    with Scene() as scene:
        api = scene.fakeapi("", "--seed", str(given.seed))
        daemon = scene.daemon(api, "daemon.workers=%d" % SLOTS)
        start = multiprocessing.get_context("fork").Event()
        clients = [Worker(scene, "program-%d" % i, program, daemon.socket, i, jobs // PROCESSES, start)
                   for i in range(PROCESSES)]
        api.control(WEATHER % (given.phase, given.phase, given.phase, CAP))
        begin = api.stats()["t"]
        start.set()
        for client in clients:
            client.join(3 * given.phase + 120 * SLOWER)

        check_answers(clients, jobs)
        entries = [entry for entry in api.entries() if entry["path"] == "/v1/messages"]
        stats = api.stats()
        equal(0, stats["accepted_again"], "jobs that were paid for twice")
        equal((jobs, jobs), (stats["accepted"], stats["completed"]), "accepted and completed")
        refusals = sorted(entry["t_end"] for entry in entries if not entry["accepted"])
        check(refusals and refusals[-1] > begin + 2 * given.phase, "there was no storm: %s" % stats)
        shortest, tag = shortest_return(entries)
        check(shortest >= REST - 0.001, "%s came back %.0f ms after it was refused" % (tag, 1000 * shortest))
        check_budget(refusals)
        metrics = daemon.client().request("stats")[0]["metrics"]
        equal((len(refusals), jobs), (metrics["attempts_overloaded_total"], metrics["jobs_succeeded_total"]))
        dark = [time for time in refusals if begin + given.phase + 1 < time < begin + 2 * given.phase]
        last = max(entry["t_end"] for entry in entries) - begin
        finish("storm", begun, "%d jobs of %d processes, 0 lost, 0 failed, %d refused (%.2f a job; most in a second %d, "
               "in the dark %d), soonest return %.0f ms, %s, done after %.1f s; seed %d" % (
                   jobs, PROCESSES, len(refusals), len(refusals) / jobs, most_in(refusals, 1), len(dark),
                   1000 * shortest, figures(entries, begin, given.phase), last, given.seed))


if __name__ == "__main__":
    main()
