#!/usr/bin/env python3
"""The official TypeScript SDK, the last 0.x and a 1.x, unchanged, by socket and by port: messages,
streams, tools, token counts, pages of models; and a storm in which it alone gives up is one request
to it, because the daemon alone asks again."""
import json, os, socket, subprocess, sys
from facade_client import path_of
from lib import MODEL, ROOT, Story, check, contains, equal

CLIENTS = os.path.join(ROOT, "tests", "clients")
sys.path.insert(0, CLIENTS)
from npm import installed, version

VERSIONS = {"sdk-0": "2023-06-01", "sdk-1": "2026-10-21"}  # of the API
TOKEN = "local-token-%d" % os.getpid()


def params(text, **more):
    return {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}], **more}


def call(name, method, text=None, headers=None, **more):
    return {"name": name, "method": method, "headers": headers, "params": params(text, **more) if text else more}


class Sdk:
    """A running program that uses one."""

    def __init__(self, name):
        self.name, self.version = name, version(name, "@anthropic-ai/sdk")
        self.process = subprocess.Popen(
            ["node", os.path.join(CLIENTS, "sdk.mjs")], cwd=installed(name), text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})

    def start(self, calls):
        self.process.stdin.write(json.dumps(calls) + "\n")
        self.process.stdin.flush()

    def finish(self, count):
        lines = [self.process.stdout.readline() for _ in range(count)]
        check(all(lines), self.name + " ended too early")
        return map(json.loads, lines)


class Program:
    """An SDK, and its way to the API."""

    def __init__(self, sdk, base, key="dummy", path=None):
        self.sdk, self.way = sdk, {"base": base, "key": key, "socket": path}
        self.name = "%s by %s" % (sdk.name, "socket" if path else "port")

    def value(self, line):
        """Of a call that must have succeeded without the SDK asking again."""
        check("value" in line and not any(line["retries"]), "%s: %s" % (self.name, line))
        return line["value"]


def begin(function, programs):
    """All programs make the calls that function says. Returns a function that waits for them and
    returns pairs: a program, and what became of its calls by their names."""
    calls = {program.sdk: [] for program in programs}
    for program in programs:
        calls[program.sdk] += [{**one, "name": "%s: %s" % (program.name, one["name"]), "way": program.way}
                               for one in function(program)]
    for sdk, some in calls.items():
        sdk.start(some)

    def end():
        lines = {line["name"]: line for sdk, some in calls.items() for line in sdk.finish(len(some))}
        return [(program, {name[len(program.name) + 2:]: line for name, line in lines.items()
                           if name.startswith(program.name + ":")}) for program in programs]
    return end


def at_once(function, programs):
    return begin(function, programs)()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def sent_headers(entry):
    return {name.lower(): value for name, value in entry["headers"].items()}


def retry_counts(api):
    """What the requests that reached the API say of the SDK's own retries."""
    return {sent_headers(entry).get("x-stainless-retry-count") for entry in api.entries()
            if entry["path"].startswith("/v1/")}


def everything_an_sdk_does(program):
    tag = program.name.replace(" ", "-")
    return [
        call("create", "create", "[tag:%s-create] [echo:grüße, 水]" % tag),
        call("stream", "stream", "[echo:one, two and three] [fake:deltas=5]"),
        call("events", "events", "[echo:x] [fake:deltas=1]"),
        call("thinking", "stream", "[echo:x] [fake:thinking]"),
        call("beta", "beta", "[tag:%s-beta] [echo:beta]" % tag, betas=["context-management-2025-06-27"]),
        call("beta stream", "betaStream", "[echo:beta stream]"),
        call("tools", "tools", "[tag:%s-tools] [fake:tool*1]" % tag, result="[tag:%s-tools] [echo:it is sunny]" % tag),
        call("count", "countTokens", model=MODEL, messages=[{"role": "user", "content": "how long is this?"}]),
        call("models", "models", limit=5),
        call("newer", "models", limit=2, before_id="claude-opus-5-5"),
        call("model", "model", id="claude-haiku-4-5"),
        # And what cannot succeed.
        call("bad", "create", "[fake:400]"), call("bad stream", "stream", "[fake:too-long]"),
        call("bad option", "create", "x", headers={"x-forebay-class": "soon"}), call("nobody", "model", id="nobody")]


def answers_are_the_apis(api, program, lines):
    tag = program.name.replace(" ", "-")
    got = {name: program.value(line) for name, line in lines.items() if "bad" not in name and name != "nobody"}
    message = got["create"]
    equal(("message", "assistant", MODEL, "grüße, 水", "end_turn"),
          (message["type"], message["role"], message["model"], message["text"], message["stop_reason"]))
    check(message["usage"]["output_tokens"] > 0 and message["request_id"].startswith("req_"), message)
    stream = got["stream"]
    equal(("one, two and three", 5), ("".join(stream["pieces"]), len(stream["pieces"])))
    equal(("one, two and three", "end_turn"), (stream["text"], stream["stop_reason"]))
    check(stream["request_id"].startswith("req_"), stream)
    equal(["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
           "message_stop"], got["events"])
    thinking = got["thinking"]["content"][0]
    check(thinking["type"] == "thinking" and thinking["thinking"] and thinking["signature"], thinking)
    equal(("beta", "beta stream"), (got["beta"]["text"], got["beta stream"]["text"]))
    equal("context-management-2025-06-27", sent_headers(api.attempts(tag + "-beta")[0])["anthropic-beta"])

    # The input of the tool, put together from pieces; the answer, once its result was told.
    equal([{"city": "Lisbon", "days": 3}], got["tools"]["calls"])
    equal(("it is sunny", "end_turn"), (got["tools"]["text"], got["tools"]["stop_reason"]))
    equal(2, len(api.attempts(tag + "-tools")))

    check(got["count"]["input_tokens"] > 0, got["count"])
    models = got["models"]
    check(MODEL in models and len(models) > 15 and len(set(models)) == len(models), "pages: %s" % models)
    equal(models[:models.index("claude-opus-5-5")], sorted(got["newer"], key=models.index))
    equal("claude-haiku-4-5-20251001", got["model"]["id"])

    # What it says of itself reaches the API.
    headers = sent_headers(api.attempts(tag + "-create")[0])
    equal((VERSIONS[program.sdk.name], "js"), (headers["anthropic-version"], headers["x-stainless-lang"]))
    contains("JS " + program.sdk.version, headers["user-agent"])


def errors_are_the_apis(program, lines):
    """Of the class the SDK has for them, with an id, and none is asked again."""
    for name in ("bad", "bad stream", "bad option", "nobody"):
        line = lines[name]
        error, what = line.get("error", {}), "%s: %s" % (program.name, line)
        equal(("NotFoundError", 404, "not_found_error") if name == "nobody" else
              ("BadRequestError", 400, "invalid_request_error"),
              (error.get("class"), error.get("status"), error.get("type")), what)
        check(error["request_id"].startswith("req_") and line["sent"] == 1, what)


def alone_it_gives_up(api, programs):
    """What everybody has without us: the third 529 is the end."""
    for program, lines in at_once(lambda program: [
            call("x", "create", "[tag:alone-%s] [fake:529*3]" % program.sdk.name)], programs):
        equal((529, [0, 1, 2]), (lines["x"].get("error", {}).get("status"), lines["x"]["retries"]), str(lines))
    equal({"0", "1", "2"}, retry_counts(api))


def in_a_storm_it_asks_once(api, programs):
    """All get their answers, each by its first request; what reached the API again and again was sent
    again by one layer alone, and nothing was paid for twice."""
    api.ask("POST", "/_reset")
    api.control("p=0.6 500=0.03")
    methods = ("create", "stream", "betaStream")
    got = at_once(lambda program: [
        *(call("%s %d" % (method, i), method, "[tag:%s %s %d] [echo:through %d] [fake:529*3]" % (
            program.name, method, i, i)) for i in range(4) for method in methods),
        call("count", "countTokens", model=MODEL, messages=[{"role": "user", "content": "x"}]),
        call("models", "models", limit=6)], programs)
    for program, lines in got:
        for name, line in lines.items():
            value = program.value(line)
            if name not in ("count", "models"):
                equal("through " + name.split()[1], value["text"], program.name)

    stats, calls = api.stats(), len(programs) * 4 * len(methods)
    equal((calls, 0), (stats["accepted"], stats["accepted_again"]), "what was paid for: %s" % stats)
    check(stats["by_status"]["529"] >= 3 * calls, "that was no storm: %s" % stats)
    equal({"0"}, retry_counts(api), "an SDK asked again")
    api.control("calm")


def so_does_what_is_no_message(api, programs):
    """Token counts and models have gates of their own."""
    api.ask("POST", "/_reset")
    api.control("model=count_tokens 529 model=models 529")
    end = begin(lambda program: [call("models", "models", limit=1000), call(
        "count", "countTokens", model=MODEL, messages=[{"role": "user", "content": "x"}])], programs)
    api.until(refused=8)
    api.control("calm")
    for program, lines in end():
        for line in lines.values():
            program.value(line)
    equal({"0"}, retry_counts(api), "an SDK asked again")


def told_to_ask_again_it_finds_its_job(api, programs):
    """A plain request cannot be held for ever. The SDK asks again, the API is not asked again; a
    stream is kept open with pings."""
    api.ask("POST", "/_reset")
    for program, lines in at_once(lambda program: [call(
            name, method, "[tag:%s %s] [echo:worth it] [fake:ttfb=25s]" % (program.sdk.name, name))
            for name, method in (("plain", "create"), ("stream", "stream"))], programs):
        equal(("worth it", "worth it"), tuple(lines[name].get("value", {}).get("text") for name in ("plain", "stream")),
              str(lines))
        equal([0, 1], lines["plain"]["retries"][:2], str(lines))
        equal([0], lines["stream"]["retries"], str(lines))
        for name in lines:
            equal(1, len(api.attempts("%s %s" % (program.sdk.name, name))), "it was paid for again")


def only_its_deadline_ends_it(api, programs):
    api.control("dark")
    for program, lines in at_once(lambda program: [
            call(method, method, "x", headers={"x-forebay-deadline": "1s"}) for method in ("create", "stream")],
            programs):
        for line in lines.values():
            # A status, or an event of the stream that was kept open; why, or the last refusal.
            what = "%s: %s" % (program.name, line)
            check(line.get("error", {}).get("type") in ("timeout_error", "overloaded_error"), what)
            equal(([0], True), (line["retries"], line["ms"] >= 900), what)


sdks = [Sdk(name) for name in VERSIONS]
with Story() as story:
    api = story.fakeapi(None, "--time-scale", "20")
    token, port = story.file("token", TOKEN + "\n", 0o600), free_port()
    fast = {"FOREBAY_TIME_SCALE": "20"}
    daemon = story.daemon(api, "http.tcp=127.0.0.1:%d" % port, "http.token_file=" + token, "http.hold=1h", env=fast)
    by_socket = [Program(sdk, "http://localhost", path=path_of(daemon)) for sdk in sdks]
    by_port = [Program(sdk, "http://127.0.0.1:%d" % port, TOKEN) for sdk in sdks]
    for program, lines in at_once(everything_an_sdk_does, by_socket + by_port):
        answers_are_the_apis(api, program, lines)
        errors_are_the_apis(program, lines)
    equal({"0"}, retry_counts(api))
    api.ask("POST", "/_reset")
    alone_it_gives_up(api, [Program(sdk, api.url, story.key) for sdk in sdks])
    in_a_storm_it_asks_once(api, by_socket + by_port)
    so_does_what_is_no_message(api, by_socket + by_port)

    hasty = story.daemon(api, "http.hold=10s", "http.ping_every=5s", name="hasty", env=fast)
    told_to_ask_again_it_finds_its_job(api, [Program(sdk, "http://localhost", path=path_of(hasty)) for sdk in sdks])
    only_its_deadline_ends_it(api, by_socket)
    for sdk in sdks:
        sdk.process.kill()
