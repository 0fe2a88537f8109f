#!/usr/bin/env python3
"""Claude Code itself, unchanged: `forebay exec -- claude -p` answers in a storm in which claude alone
gives up, with one request. Only by `make check-claude-code`: npm has to bring 235 MB."""
import json, os, subprocess, sys
from facade_client import path_of
from lib import OUT, ROOT, SLOWER, Failure, Story, contains, equal, skip

if os.environ.get("CLAUDE_CODE") != "1":
    skip("npm has to bring 235 MB for it: make check-claude-code")
sys.path.insert(0, os.path.join(ROOT, "tests", "clients"))
from npm import installed, version

CLAUDE = os.path.join(installed("claude-code"), "node_modules/@anthropic-ai/claude-code-linux-x64/claude")
# The third 529 in a row ends it for an Opus alone; for others it asks ten times.
MODEL = "claude-opus-5-5"
STORM = "[fake:529*9]"


def run(story, words, *prefix, **env):
    """claude -p WORDS in an environment of its own: (status, what it says of itself, the statuses after
    which it asked again)."""
    home = os.path.join(story.dir, "home")
    os.makedirs(home, exist_ok=True)
    got = subprocess.run([*prefix, CLAUDE, "-p", words, "--model", MODEL, "--output-format", "stream-json",
                          "--verbose"], cwd=home, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                         timeout=60 * SLOWER,
                         env={"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8", "DISABLE_TELEMETRY": "1",
                              "DISABLE_ERROR_REPORTING": "1", "DISABLE_AUTOUPDATER": "1", **env})
    try:
        lines = [json.loads(line) for line in got.stdout.splitlines()]
    except ValueError:
        raise Failure("status %d: %s%s" % (got.returncode, got.stdout, got.stderr))
    said = [line for line in lines if line["type"] == "result"] or [{"result": got.stderr}]
    return got.returncode, said[-1], [line["error_status"] for line in lines if line.get("subtype") == "api_retry"]


def alone_it_gives_up(story, api):
    status, said, again = run(story, "[tag:alone] " + STORM, ANTHROPIC_BASE_URL=api.url, ANTHROPIC_API_KEY=story.key)
    equal((1, [529] * 2), (status, again), said)
    contains("Repeated 529", said["result"])
    equal([529] * 3, [entry["status"] for entry in api.attempts("alone")])


def through_the_daemon(story, api, daemon, tag, words, requests, asked_again):
    """It answers; and however often it or we asked, that was one job. Returns its attempts."""
    status, said, again = run(story, "[tag:%s] [echo:it held] %s" % (tag, words), os.path.join(OUT, "forebay"), "--socket",
                       daemon.socket, "exec", "--http-socket", path_of(daemon), "--label", tag, "--")
    equal((0, "it held", False, asked_again), (status, said["result"], said["is_error"], again), said)
    client = daemon.client()
    job, = client.rows("list", label=tag)
    job, attempts = client.show(job["id"])
    equal(("succeeded", MODEL), (job["state"], job["model"]))
    equal(requests, [entry["status"] for entry in api.attempts(tag)])
    return attempts


with Story() as story:
    if not os.path.exists(CLAUDE):
        skip("Claude Code has no program for this kind of machine")
    api = story.fakeapi(None, "--time-scale", "20")
    fast = {"FOREBAY_TIME_SCALE": "20"}
    alone_it_gives_up(story, api)

    daemon = story.daemon(api, "http.hold=1h", env=fast)
    attempts = through_the_daemon(story, api, daemon, "storm", STORM, [529] * 9 + [200], [])
    equal(10, len(attempts), attempts)
    headers = {name.lower(): value for name, value in api.attempts("storm")[-1]["headers"].items()}
    contains("claude-cli/" + version("claude-code", "@anthropic-ai/claude-code"), headers["user-agent"])
    contains("claude-code-", headers["anthropic-beta"])

    # Held for as long as we may and told to ask again, it does; the job was there, and is paid for once.
    hasty = story.daemon(api, "http.hold=10s", name="hasty", env=fast)
    through_the_daemon(story, api, hasty, "held", "[fake:ttfb=30s]", [200], [503])
