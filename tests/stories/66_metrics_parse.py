#!/usr/bin/env python3
"""GET /metrics is read by a parser that other people wrote, and tells what happened here."""
import json, os, pwd, shutil, subprocess
from facade_client import ask
from lib import MODEL, NOBODY, OUT, Failure, Story, body, check, equal, eventually, skip

PARSER = "parse-prometheus-text-format@1.1.1"
READ = """const parse = require('parse-prometheus-text-format');
console.log(JSON.stringify(parse(require('fs').readFileSync(0, 'utf8'))));"""
ODD = "odd{of='1'}#"


def parser():
    """The directory it is installed in; it stays for the next run."""
    where = os.path.join(OUT, "npm-prometheus")
    os.makedirs(where, exist_ok=True)
    if not shutil.which("npm") or not shutil.which("node"):
        skip("there is no npm here to bring %s" % PARSER)
    try:
        got = subprocess.run(["npm", "install", "--prefix", where, "--prefer-offline", "--no-audit",
                              "--no-fund", "--ignore-scripts", PARSER], capture_output=True, text=True,
                             timeout=60)
    except subprocess.TimeoutExpired:
        skip("npm could not bring %s within 60 s" % PARSER)
    if got.returncode != 0:
        skip("npm could not bring %s: %s" % (PARSER, (got.stderr.strip().splitlines() or ["?"])[0]))
    return where


def read(where, text):
    got = subprocess.run(["node", "-e", READ], input=text, capture_output=True, cwd=where, timeout=30)
    if got.returncode != 0:
        raise Failure("%s does not take the page:\n%s" % (PARSER, got.stderr.decode()))
    return {family["name"]: family for family in json.loads(got.stdout)}


class Page:
    def __init__(self, daemon, where):
        answer = ask(daemon, "GET", "/metrics")
        equal((200, "text/plain; version=0.0.4; charset=utf-8"), (answer.status, answer.headers["content-type"]))
        self.text = answer.data.decode()
        self.families = read(where, answer.data)
        if shutil.which("promtool"):  # Prometheus' own judgement, where it is at hand
            got = subprocess.run(["promtool", "check", "metrics"], input=answer.data, capture_output=True)
            equal((0, b"", b""), (got.returncode, got.stdout, got.stderr), "promtool finds fault")

    def samples(self, name):
        return self.families["forebay_" + name]["metrics"]

    def value(self, name, **labels):
        found = [sample for sample in self.samples(name) if sample.get("labels", {}) == labels]
        equal(1, len(found), "%s %s in %s" % (name, labels, self.samples(name)))
        return float(found[0]["value"])

    def total(self, name):
        return sum(float(sample["value"]) for sample in self.samples(name))


where = parser()
with Story() as story:
    api = story.fakeapi()
    daemon = story.daemon(api)
    client = daemon.client()
    empty = Page(daemon, where)
    equal(empty.text.count("# TYPE "), len(empty.families), "each family is one to the parser")
    equal(0, empty.value("jobs_succeeded_total"))

    callers = {"root" if os.geteuid() == 0 else pwd.getpwuid(os.getuid()).pw_name: client}
    if os.geteuid() == 0:
        callers[pwd.getpwuid(NOBODY).pw_name] = daemon.client(NOBODY)
    for caller in callers.values():
        for _ in range(2):
            caller.text(caller.submit(body("[echo:x]")))
    equal("failed", client.end_of(client.submit(body("[fake:400]")))[0]["state"])
    page, jobs = Page(daemon, where), 2 * len(callers)
    equal(jobs + 1, page.total("jobs"))

    equal(jobs, page.value("jobs_succeeded_total"))
    equal((jobs, 1), (page.value("jobs", state="succeeded"), page.value("jobs", state="failed")))
    equal((jobs, 1), (page.value("attempts_ended_total", outcome="succeeded"),
                      page.value("attempts_ended_total", outcome="request")))
    equal(jobs + 1, page.total("attempts_ended_total"))
    for name, caller in callers.items():
        uid = str(os.getuid() if caller is client else NOBODY)
        equal(2, page.value("owner_jobs_succeeded_total", owner=name, uid=uid))
        equal(1 if caller is client else 0, page.value("owner_jobs_failed_total", owner=name, uid=uid))
        equal(0, page.value("owner_jobs_pending", owner=name, uid=uid))
    spent = page.value("tokens_total", kind="input") + page.value("tokens_total", kind="output")
    check(spent > 0, "tokens were counted")
    equal(spent, page.total("owner_tokens_total"))

    for name, count in (("queue_wait", jobs), ("first_byte", jobs), ("attempt", jobs + 1)):
        histogram, = page.samples(name + "_seconds")
        equal((count, count), (int(histogram["count"]), int(histogram["buckets"]["+Inf"])), name)
        check(0 <= float(histogram["sum"]) < 60 * count, "%s: %s" % (name, histogram["sum"]))
    histogram, = page.samples("store_commit_seconds")
    check(int(histogram["count"]) >= jobs and 0 < float(histogram["sum"]), "commits: %s" % histogram)

    equal(1, page.value("gate_weather", gate=MODEL, kind="model", weather="open"))
    equal(len({(s["labels"]["gate"], s["labels"]["kind"]) for s in page.samples("gate_weather")}),
          page.total("gate_weather"), "each gate has one weather")
    equal((0, 0), (page.value("gate_closed", gate="host", kind="host"),
                   page.value("gate_in_flight", gate=MODEL, kind="model")))
    check(page.value("process_resident_memory_bytes") > 1e6, "memory")
    check(page.value("process_open_fds") > 5, "descriptors")
    check(page.value("store_bytes") > 1e4, "the database")

    # A gate closed by hand, and behind it a model whose name is not easy to spell.
    client.request("hold", target="host")
    client.submit(body("y", model=ODD), **{"class": "patient"})

    def odd():
        page = Page(daemon, where)
        return page if any(s["labels"]["gate"] == ODD for s in page.samples("gate_level")) else None
    eventually(odd, "the odd model has a gate")
    page = odd()
    equal(1, page.value("queued_jobs", **{"class": "patient"}))
    equal((1, 1), (page.value("gate_closed", gate="host", kind="host"),
                   page.value("gate_weather", gate="host", kind="host", weather="held")))
    try_again, = [s["value"] for s in page.samples("gate_next_try_seconds") if s["labels"]["gate"] == "host"]
    equal("+Inf", try_again)
    equal(0, page.value("gate_next_try_seconds", gate=ODD, kind="model"))
