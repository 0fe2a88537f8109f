#!/usr/bin/env python3
"""Through a storm of 529 three programs get every answer, and no refused job comes back without delay."""
import threading
from lib import Story, body, check, equal

JOBS = 12
STORM = "always ttfb=20 gen=50 refuse=10; 2s p=0.7; 1500ms dark; 2s p=0.5; calm"

with Story() as story:
    api = story.fakeapi(STORM)
    daemon = story.daemon(api)
    answers, errors = [], []

    def asking():
        """One after the other through the command, as a script would."""
        for i in range(JOBS):
            answers.append(daemon.cli("ask", "[tag:ask%d] [echo:ask%d]" % (i, i), seconds=60).stdout)

    def library():
        """All at once on one connection."""
        client = daemon.client(timeout=60)
        ids = [client.submit(body("[tag:lib%d] [echo:lib%d]" % (i, i))) for i in range(JOBS)]
        answers.extend(client.text(id) + "\n" for id in ids)

    def queueing():
        """Submit now, fetch later."""
        ids = [daemon.cli("submit", "-", stdin=body("[tag:sub%d] [echo:sub%d]" % (i, i))).stdout.strip()
               for i in range(JOBS)]
        daemon.cli("wait", *ids, seconds=60)
        answers.extend(daemon.cli("result", id).stdout for id in ids)

    def guarded(program):
        try:
            program()
        except BaseException as error:
            errors.append(error)

    programs = [threading.Thread(target=guarded, args=(program,)) for program in (asking, library, queueing)]
    for program in programs:
        program.start()
    for program in programs:
        program.join()
    if errors:
        raise errors[0]

    equal(sorted("%s%d\n" % (who, i) for who in ("ask", "lib", "sub") for i in range(JOBS)),
          sorted(answers), "the answers")
    stats = api.stats()
    check(stats["refused"] > 0, "there was no storm: %s" % stats)
    equal(0, stats["accepted_again"], "jobs that were paid for twice")
    equal(3 * JOBS, stats["completed"], "whole answers")

    # On the API's own clock: after each refusal at least 200 ms (250 less a fifth) pass.
    by_tag = {}
    for entry in api.entries():
        by_tag.setdefault(entry["tag"], []).append(entry)
    for tag, entries in by_tag.items():
        for before, after in zip(entries, entries[1:]):
            equal(529, before["status"], "%s was sent again though it was not refused" % tag)
            check(after["t"] - before["t_end"] >= 0.199, "%s came back after %.0f ms" % (
                tag, 1000 * (after["t"] - before["t_end"])))

    # The daemon's own books say the same.
    metrics = daemon.client().request("stats")[0]["metrics"]
    equal((stats["refused"], 3 * JOBS), (metrics["attempts_overloaded_total"], metrics["jobs_succeeded_total"]))
