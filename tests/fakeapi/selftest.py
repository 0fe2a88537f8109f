#!/usr/bin/env python3
"""The fake API against its README: what it promises to tests is tested here.

usage: OUT=out python3 tests/fakeapi/selftest.py [-v] [NAME...]
"""
import calendar
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM = os.path.join(os.environ.get("OUT", "out"), "fakeapi")
VERSION = {"anthropic-version": "2023-06-01", "content-type": "application/json"}


def body(text="hello", model="claude-sonnet-5-5", stream=False, **more):
    message = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
    if stream:
        message["stream"] = True
    return json.dumps({**message, **more})


def events(raw):
    """SSE bytes as a list of (event, data)."""
    found = []
    for block in raw.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if line)
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def assemble(found):
    """Message content from events; fails if the grammar is broken."""
    names = [name for name, _ in found if name not in ("ping", "weather_report")]
    assert names[0] == "message_start" and names[-2:] == ["message_delta", "message_stop"], names
    message, open_index = found[0][1]["message"], None
    partial = {}
    for name, data in found:
        assert data["type"] == name
        if name == "content_block_start":
            assert open_index is None and data["index"] == len(message["content"])
            open_index = data["index"]
            message["content"].append(dict(data["content_block"]))
        elif name == "content_block_delta":
            assert data["index"] == open_index
            block, delta = message["content"][-1], data["delta"]
            if delta["type"] == "text_delta":
                block["text"] += delta["text"]
            elif delta["type"] == "thinking_delta":
                block["thinking"] += delta["thinking"]
            elif delta["type"] == "signature_delta":
                block["signature"] = delta["signature"]
            elif delta["type"] == "input_json_delta":
                partial[open_index] = partial.get(open_index, "") + delta["partial_json"]
        elif name == "content_block_stop":
            assert data["index"] == open_index
            if open_index in partial:
                message["content"][-1]["input"] = json.loads(partial[open_index])
            open_index = None
        elif name == "message_delta":
            message.update(data["delta"])
            message["usage"].update(data["usage"])
    return message


class Fake:
    """A running fakeapi; `with Fake("dark") as fake:`"""

    def __init__(self, weather="", *options):
        self.args = [PROGRAM, *options, "--weather", weather]

    def __enter__(self):
        self.process = subprocess.Popen(self.args, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.url = line.split()[-1]
        if self.url.startswith("http"):
            self.port = int(self.url.rsplit(":", 1)[1])
        return self

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(10)
        self.process.stdout.close()
        assert status == 0, "fakeapi ended with %d" % status

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, method, path, data=None, headers=VERSION):
        connection = self.connect()
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def post(self, text="hello", headers=VERSION, **more):
        return self.ask("POST", "/v1/messages", body(text, **more), headers)

    def raw(self, text, stream=True):
        """Everything that comes on the socket until it ends, and whether a reset ended it."""
        data = body(text, stream=stream).encode()
        sock = socket.create_connection(("127.0.0.1", self.port), 20)
        sock.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nanthropic-version: 2023-06-01\r\n"
                     b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data))
        got, reset = b"", False
        try:
            while chunk := sock.recv(65536):
                got += chunk
        except ConnectionResetError:
            reset = True
        sock.close()
        return got, reset

    def hold_open(self, text, stream=False):
        connection = self.connect()
        connection.request("POST", "/v1/messages", body(text, stream=stream), VERSION)
        return connection

    def get(self, path):
        return json.loads(self.ask("GET", path)[2])

    def log(self):
        return [json.loads(line) for line in self.ask("GET", "/_log")[2].splitlines()]

    def control(self, wish):
        data = wish if isinstance(wish, str) else json.dumps(wish)
        status, _, answer = self.ask("POST", "/_control", data)
        assert status == 200, answer
        return json.loads(answer)

    def wait(self, query):
        status, _, answer = self.ask("GET", "/_wait?" + query)
        assert status == 200, answer
        return json.loads(answer)


class Answers(unittest.TestCase):
    def test_plain_and_stream_say_the_same(self):
        with Fake() as fake:
            status, headers, plain = fake.post("what is water?")
            self.assertEqual(status, 200)
            self.assertTrue(headers["request-id"].startswith("req_"))
            message = json.loads(plain)
            status, headers, raw = fake.post("what is water?", stream=True)
            self.assertTrue(headers["content-type"].startswith("text/event-stream"))
            streamed = assemble(events(raw))
            self.assertEqual(message["content"], streamed["content"])
            self.assertEqual(message["usage"], streamed["usage"])
            self.assertEqual(message["stop_reason"], streamed["stop_reason"])
            self.assertNotEqual(message["id"], streamed["id"])

    def test_echo_survives_escapes_and_splitting(self):
        text = "caf\u00e9 \"q\" back\\slash \U0001f30a tab\t end" * 5
        with Fake() as fake:
            for deltas in (1, 7, 1000):
                asked = "[echo:%s] [fake:deltas=%d]" % (text, deltas)
                said = assemble(events(fake.post(asked, stream=True)[2]))["content"][0]["text"]
                self.assertEqual(said, text)
            self.assertEqual(json.loads(fake.post("[echo:%s]" % text)[2])["content"][0]["text"], text)

    def test_styles(self):
        with Fake() as fake:
            for stream in (False, True):
                def ask(words):
                    raw = fake.post("[fake:%s]" % words, stream=stream)[2]
                    return assemble(events(raw)) if stream else json.loads(raw)
                both = ask("thinking tool")
                self.assertEqual([b["type"] for b in both["content"]], ["thinking", "text", "tool_use"])
                self.assertEqual(both["content"][2]["input"], {"city": "Lisbon", "days": 3})
                self.assertTrue(both["content"][0]["signature"])
                self.assertEqual(both["stop_reason"], "tool_use")
                refusal = ask("refusal")
                self.assertEqual((refusal["stop_reason"], refusal["content"]), ("refusal", []))
                self.assertEqual(refusal["stop_details"]["type"], "refusal")
                self.assertEqual(ask("no-content")["content"], [])
                self.assertEqual(ask("unknown")["content"][1]["type"], "hologram")
                self.assertGreater(len(ask("size=2M")["content"][0]["text"]), 1900000)

    def test_max_tokens_cuts(self):
        with Fake() as fake:
            short = json.loads(fake.post("hi", max_tokens=3)[2])
            self.assertEqual(short["stop_reason"], "max_tokens")
            self.assertLessEqual(short["usage"]["output_tokens"], 4)
            self.assertEqual(json.loads(fake.post("hi", max_tokens=0)[2])["content"], [])

    def test_checks(self):
        with Fake("", "--key", "sk-secret", "--log-headers", "--keep-bodies", "2") as fake:
            good = {**VERSION, "authorization": "Bearer sk-secret"}
            for headers, want in ((VERSION, 401), (good, 200), ({**VERSION, "x-api-key": "sk-secret"}, 200),
                                  ({**good, "x-api-key": "wrong"}, 401),
                                  ({"authorization": "Bearer sk-secret"}, 400)):
                self.assertEqual(fake.post(headers=headers)[0], want)
            for data in ("", "{", "[]", '{"model":"m"}', body()[:-1], body() + "x",
                         '{"model":"m","messages":[]}'):
                status, _, answer = fake.ask("POST", "/v1/messages", data, good)
                self.assertEqual(status, 400)
                self.assertEqual(json.loads(answer)["error"]["type"], "invalid_request_error")
            newest = {**good, "anthropic-version": "2026-10-21"}
            self.assertEqual(fake.post(headers=newest, temperature=1)[0], 400)
            self.assertEqual(fake.post(headers=good, temperature=1)[0], 200)
            self.assertEqual(fake.ask("GET", "/_body")[2].decode(), body(temperature=1))
            self.assertEqual(fake.ask("GET", "/v1/models")[0], 401)
            self.assertNotIn(b"sk-secret", fake.ask("GET", "/_log")[2])
            self.assertEqual(fake.log()[-1]["headers"]["anthropic-version"], "2023-06-01")
            self.assertEqual(fake.post("[fake:nonsense]", headers=good)[0], 400)

    def test_models_are_those_the_daemon_knows(self):
        known = os.path.join(os.path.dirname(__file__), "../../daemon/claude/models.c")
        with open(known) as source:
            ids = re.findall(r'\.id = "([^"]+)"', source.read())
        with Fake() as fake:
            self.assertEqual(set(ids), {model["id"] for model in fake.get("/v1/models")["data"]})

    def test_pages_of_models(self):
        with Fake() as fake:
            ids = [model["id"] for model in fake.get("/v1/models")["data"]]
            self.assertEqual(len(ids), len(set(ids)))

            def page(query):
                page = fake.get("/v1/models?" + query)
                rows = [model["id"] for model in page["data"]]
                self.assertEqual((page["first_id"], page["last_id"]), (rows[0], rows[-1]) if rows else (None, None))
                return rows, page["has_more"]
            self.assertEqual(page("limit=3"), (ids[:3], True))
            self.assertEqual(page("limit=3&after_id=" + ids[2]), (ids[3:6], True))
            self.assertEqual(page("limit=3&before_id=" + ids[7]), (ids[4:7], True))
            self.assertEqual(page("limit=3&before_id=" + ids[3]), (ids[:3], False))
            self.assertEqual(page("after_id=" + ids[-1]), ([], False))
            self.assertEqual(page("lifecycle=deprecated"), (["claude-sonnet-4-5-20250929"], False))
            self.assertEqual(page("lifecycle=retired"), ([], False))
            for query in ("limit=0", "limit=1001", "limit=x", "after_id=nobody", "before_id=nobody",
                          "after_id=%s&before_id=%s" % (ids[1], ids[5])):
                status, _, answer = fake.ask("GET", "/v1/models?" + query)
                self.assertEqual((status, json.loads(answer)["error"]["type"]), (400, "invalid_request_error"))
            self.assertEqual(fake.ask("GET", "/v1/models", headers={})[0], 400)

    def test_free_end_points_have_limits_of_their_own(self):
        weather = "always dark rpm=1 model=count_tokens rpm=60 burst=2 model=models 529 retry-after=3"
        with Fake(weather) as fake:
            count = [fake.ask("POST", "/v1/messages/count_tokens", body(str(i))) for i in range(3)]
            self.assertEqual([status for status, _, _ in count], [200, 200, 429])
            self.assertEqual(count[0][1]["anthropic-ratelimit-requests-limit"], "60")
            self.assertEqual(count[1][1]["anthropic-ratelimit-requests-remaining"], "0")
            self.assertEqual(count[2][1]["retry-after"], "1")
            status, headers, _ = fake.ask("GET", "/v1/models")
            self.assertEqual((status, headers["retry-after"]), (529, "3"))
            self.assertNotIn("anthropic-ratelimit-requests-limit", headers)
            fake.control("calm")
            self.assertEqual(fake.ask("GET", "/v1/models")[0], 200)
            self.assertNotIn("anthropic-ratelimit-requests-limit",
                             fake.ask("POST", "/v1/messages/count_tokens", body())[1])

    def test_models_and_count(self):
        with Fake("dark") as fake:
            seen, after = [], ""
            while True:
                page = fake.get("/v1/models?limit=4" + after)
                seen += [model["id"] for model in page["data"]]
                if not page["has_more"]:
                    break
                after = "&after_id=" + page["last_id"]
            self.assertEqual(seen, [model["id"] for model in fake.get("/v1/models")["data"]])
            self.assertEqual(fake.get("/v1/models/claude-haiku-4-5")["id"], "claude-haiku-4-5-20251001")
            self.assertEqual(fake.ask("GET", "/v1/models/nobody")[0], 404)
            status, _, answer = fake.ask("POST", "/v1/messages/count_tokens", body())
            self.assertEqual(status, 200)
            self.assertGreater(json.loads(answer)["input_tokens"], 0)
            self.assertEqual(fake.ask("GET", "/elsewhere")[0], 404)
            self.assertEqual(fake.ask("HEAD", "/")[0], 200)

    def test_big_bodies(self):
        with Fake() as fake:
            self.assertEqual(fake.post("x" * (31 << 20) + "[tag:big]")[0], 200)
            self.assertEqual(fake.log()[0]["tag"], "big")
            self.assertEqual(fake.post("x" * (33 << 20))[0], 413)

    def test_unix_socket_and_log_file(self):
        with tempfile.TemporaryDirectory() as directory:
            path, log = directory + "/sock", directory + "/log"
            with Fake("", "--listen", "unix:" + path, "--log", log) as fake:
                self.assertEqual(fake.url, "unix:" + path)
                connection = http.client.HTTPConnection("localhost")
                connection.sock = socket.socket(socket.AF_UNIX)
                connection.sock.connect(path)
                for _ in range(3):
                    connection.request("POST", "/v1/messages", body("[tag:u]"), VERSION)
                    self.assertEqual(connection.getresponse().read()[:1], b"{")
                connection.close()
            with open(log) as lines:
                entries = [json.loads(line) for line in lines]
            self.assertEqual([e["attempt"] for e in entries], [1, 2, 3])
            self.assertTrue(all(e["outcome"] == "complete" for e in entries))


class Faults(unittest.TestCase):
    def test_statuses(self):
        types = {"529": "overloaded_error", "429": "rate_limit_error", "401": "authentication_error",
                 "403": "permission_error", "404": "not_found_error", "billing": "billing_error",
                 "500": "api_error", "504": "timeout_error", "usage": "invalid_request_error"}
        with Fake() as fake:
            for stream in (False, True):
                for name, kind in types.items():
                    status, headers, answer = fake.post("[fake:%s]" % name, stream=stream)
                    error = json.loads(answer)
                    self.assertEqual(error["error"]["type"], kind)
                    self.assertEqual(error["request_id"], headers["request-id"])
                    if name.isdigit():
                        self.assertEqual(status, int(name))
            status, headers, answer = fake.post("[fake:spend]")
            self.assertEqual((status, headers["retry-after"]), (429, None))
            self.assertEqual(json.loads(answer)["error"]["details"]["error_code"],
                             "enforced_spend_limit_reached")
            for name in ("502", "529-html"):
                status, headers, answer = fake.post("[fake:%s]" % name)
                self.assertTrue(headers["content-type"].startswith("text/html"))
            self.assertEqual(fake.post("[fake:500-blank]")[::2], (500, b""))
            headers = fake.post("[fake:529 retry-after=7 should-retry=false]")[1]
            self.assertEqual((headers["retry-after"], headers["x-should-retry"]), ("7", "false"))

    def test_connections_that_break(self):
        with Fake() as fake:
            self.assertEqual(fake.raw("[fake:reset]"), (b"", True))
            self.assertEqual(fake.raw("[fake:close]"), (b"", False))
            for stream in (True, False):
                got, reset = fake.raw("[fake:cut]", stream)
                self.assertFalse(reset)
                self.assertIn(b"message", got)
                self.assertNotIn(b"message_stop", got)
                self.assertFalse(got.endswith(b"0\r\n\r\n") or got.endswith(b"}}"))
                got, reset = fake.raw("[fake:cut-reset]", stream)
                self.assertTrue(reset)
            stats = fake.get("/_stats")
            self.assertEqual((stats["cut"], stats["open"], stats["completed"]), (6, 0, 0))
            self.assertEqual((stats["refused"], stats["accepted"]), (2, 4))

    def test_streams_that_go_wrong(self):
        with Fake() as fake:
            def ask(name):
                status, _, raw = fake.post("[fake:%s]" % name, stream=True)
                self.assertEqual(status, 200)
                return raw
            first = events(ask("error-first"))
            self.assertEqual([name for name, _ in first], ["error"])
            self.assertEqual(first[0][1]["error"]["type"], "overloaded_error")
            mid = events(ask("error-mid"))
            self.assertEqual((mid[0][0], mid[-1][0]), ("message_start", "error"))
            self.assertIn("content_block_delta", [name for name, _ in mid])
            self.assertEqual(events(ask("api-error-mid"))[-1][1]["error"]["type"], "api_error")
            self.assertNotIn(b"message_stop", ask("eof"))
            self.assertEqual(ask("empty"), b"")
            with self.assertRaises(ValueError):
                events(ask("truncated"))
            with self.assertRaises(UnicodeDecodeError):
                ask("bad-utf8").decode()
            with self.assertRaises(ValueError):
                json.loads(fake.post("[fake:truncated]")[2])
            self.assertIn(b"<html>", fake.post("[fake:wrong-type]")[2])
            self.assertNotIn("content", json.loads(fake.post("[fake:foreign]")[2]))
            self.assertEqual(fake.post("[fake:error-mid]")[0], 529)
            self.assertEqual(fake.get("/_stats")["completed"], 0)

    def test_every_refusal_answers(self):
        """Whatever /_faults lists is in the README, and ends, but for what says that it does not."""
        with Fake("size=4K drip=1") as fake:
            names = fake.ask("GET", "/_faults")[2].decode().split()
            with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md")) as manual:
                told = set(re.findall(r"`([^`]+)`", manual.read()))
            for name in names:
                which, _, place = name.rpartition("-")
                self.assertTrue(name in told or (place in ("first", "start", "mid") and which in told), name)
                if name in ("hang", "silent", "stall", "freeze", "500-endless", "1xx-endless"):
                    continue
                for stream in (False, True):
                    fake.raw("[fake:%s]" % name, stream)
            self.assertEqual(fake.get("/_stats")["open"], 0)
            self.assertGreater(len(names), 100)

    def test_errors_in_events(self):
        types = {"error": "overloaded_error", "api-error": "api_error", "rate": "rate_limit_error",
                 "timeout": "timeout_error", "invalid": "invalid_request_error", "auth": "authentication_error",
                 "billing": "billing_error", "new-error": "brand_new_error", "echo": "api_error"}
        statuses = [529, 500, 429, 504, 400, 401, 402, 500, 500]
        with Fake() as fake:
            for (which, kind), status in zip(types.items(), statuses):
                for place, opened, said in (("first", False, False), ("start", True, False), ("mid", True, True)):
                    name = "[fake:%s-%s]" % (which, place)
                    found = events(fake.post(name, stream=True)[2])
                    self.assertEqual((found[-1][0], found[-1][1]["error"]["type"]), ("error", kind))
                    self.assertEqual(found[0][0] == "message_start", opened)
                    self.assertEqual("content_block_delta" in [event for event, _ in found], said)
                    self.assertEqual(fake.post(name)[0], status)

    def test_odd_answers(self):
        with Fake("", "--key", "sk-secret") as fake:
            good = {**VERSION, "authorization": "Bearer sk-secret"}

            def ask(words, **more):
                return fake.post("[fake:%s]" % words, good, **more)
            self.assertGreater(len(ask("500-huge")[2]), 4 << 20)
            self.assertIn("huge", json.loads(ask("400-huge size=10K")[2])["error"]["message"])
            self.assertEqual(json.loads(ask("500-slow drip=1")[2])["error"]["type"], "api_error")
            self.assertEqual(ask("204")[::2], (204, b""))
            status, headers, _ = ask("307")
            self.assertEqual((status, headers["location"]), (307, "/v1/messages?again"))
            with self.assertRaises(UnicodeDecodeError):
                ask("400-utf8")[2].decode()
            for name in ("401-echo", "400-echo", "500-echo", "502-echo", "usage-echo", "echo-mid"):
                self.assertIn(b"sk-secret", ask(name)[2])
            self.assertEqual(ask("id-echo")[1]["request-id"], "sk-secret")
            self.assertNotIn(b"sk-secret", fake.ask("GET", "/_log", headers=good)[2])
            status, headers, answer = ask("mistyped", stream=True)
            self.assertEqual((status, headers["content-type"]), (200, "text/plain"))
            assemble(events(answer))
            self.assertEqual(json.loads(ask("unstreamed", stream=True)[2])["type"], "message")

    def test_answers_that_are_not_http(self):
        with Fake() as fake:
            self.assertIn(b"x" * (200 << 10), fake.raw("[fake:long-header]")[0])
            self.assertNotIn(b"HTTP/1.1 ", fake.raw("[fake:garbage]")[0])
            self.assertEqual(fake.raw("[fake:two-lengths]")[0].count(b"content-length"), 2)
            got = fake.raw("[fake:1xx]")[0]
            self.assertEqual((got.count(b"HTTP/1.1 103"), got.count(b"HTTP/1.1 529")), (1000, 1))
            self.assertGreater(fake.raw("[fake:500-headers]")[0].count(b"x-filling-"), 999)
            for name in ("500-endless", "1xx-endless"):
                data = body("[fake:%s drip=1]" % name).encode()
                sock = socket.create_connection(("127.0.0.1", fake.port), 20)
                sock.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nanthropic-version: 2023-06-01\r\n"
                             b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
                got = 0
                while got < 4096:
                    chunk = sock.recv(65536)
                    self.assertTrue(chunk)
                    got += len(chunk)
                sock.close()
            fake.wait("open=0")

    def test_dates(self):
        with Fake() as fake:
            def date(words):
                message = json.loads(fake.post("[fake:%s]" % words)[2])["error"]["message"]
                return message[message.index(" on ") + 4:]
            self.assertEqual(date("usage"), "2099-01-01 at 00:00 UTC.")
            soon = calendar.timegm(time.strptime(date("spend until=30s"), "%Y-%m-%d at %H:%M:%S UTC."))
            self.assertTrue(29 <= soon - time.time() <= 32)

    def test_streams_that_go_silent(self):
        with Fake() as fake:
            for name, deltas in (("silent", False), ("stall", True)):
                connection = fake.hold_open("[fake:%s ping=10]" % name, stream=True)
                answer = connection.getresponse()
                got = b""
                while got.count(b"event: ping") < 5:
                    got += answer.read1()
                self.assertEqual(b"content_block_delta" in got, deltas)
                answer.close()
                connection.close()
            for name in ("freeze", "hang"):
                connection = fake.hold_open("[fake:%s]" % name, stream=True)
                if name == "freeze":
                    connection.getresponse().close()
                else:
                    fake.wait("arrivals=4")
                connection.close()
            fake.wait("client_left=4&open=0")

    def test_attempts(self):
        with Fake() as fake:
            asked = "[tag:a] [fake:529*2] [fake:500@3]"
            self.assertEqual([fake.post(asked)[0] for _ in range(4)], [529, 529, 500, 200])
            self.assertEqual([fake.post("[fake:529*1]")[0] for _ in range(2)], [529, 200])
            self.assertEqual(fake.get("/_tags"), {"a": {"attempts": 4, "accepted": 1, "completed": 1}})


class Weather(unittest.TestCase):
    def test_chance_is_the_jobs_own(self):
        def play(order):
            with Fake("p=0.5", "--seed", "7") as fake:
                return {n: fake.post("[tag:j%d]" % n)[0] for n in order}
        there, back = play(range(60)), play(reversed(range(60)))
        self.assertEqual(there, back)
        self.assertTrue(15 <= sum(s == 529 for s in there.values()) <= 45)

    def test_timeline(self):
        with Fake("", "--time-scale", "10") as fake:
            fake.control("1s dark; 1s 500; calm")
            seen = []
            deadline = time.monotonic() + 10
            while 200 not in seen and time.monotonic() < deadline:
                seen.append(fake.post()[0])
            self.assertEqual(sorted(set(seen)), [200, 500, 529])
            self.assertEqual(seen, sorted(seen, key=[529, 500, 200].index))
            self.assertEqual(fake.get("/_stats")["phase"], 2)
            fake.control("50ms dark; 50ms calm; repeat")
            seen = [fake.post()[0]]
            while seen.count(200) < 300 and time.monotonic() < deadline:
                seen.append(fake.post()[0])
            turns = sum(a != b for a, b in zip(seen, seen[1:]))
            self.assertGreater(turns, 2)

    def test_models_differ(self):
        with Fake("dark model=*haiku* clear") as fake:
            self.assertEqual(fake.post()[0], 529)
            self.assertEqual(fake.post(model="claude-haiku-5-5")[0], 200)
            fake.control({"add": "model=*haiku* 503"})
            self.assertEqual(fake.post(model="claude-haiku-5-5")[0], 503)
            fake.control("calm")
            self.assertEqual(fake.post(model="claude-haiku-5-5")[0], 200)
            models = fake.get("/_stats")["by_model"]
            self.assertEqual(models["claude-haiku-5-5"]["arrivals"], 3)

    def test_capacity_and_hold(self):
        with Fake("cap=2 hold") as fake:
            held = [fake.hold_open("[tag:h%d]" % n) for n in range(2)]
            fake.wait("held=2")
            self.assertEqual(fake.post("third")[0], 529)
            self.assertEqual(fake.log()[-1]["cause"], "cap")
            fake.control({"release": "h1"})
            self.assertEqual(held[1].getresponse().read()[:1], b"{")
            self.assertEqual(fake.get("/_stats")["held"], 1)
            held[0].close()
            stats = fake.wait("client_left=1&open=0")
            self.assertEqual((stats["in_flight"], stats["max_in_flight"]), (0, 2))
            held[1].close()

    def test_rates(self):
        with Fake("rpm=60 burst=2", "--time-scale", "1") as fake:
            status, headers, _ = fake.post("a")
            self.assertEqual((status, headers["anthropic-ratelimit-requests-limit"]), (200, "60"))
            self.assertEqual(headers["anthropic-ratelimit-requests-remaining"], "1")
            self.assertRegex(headers["anthropic-ratelimit-requests-reset"], r"^20..-..-..T..:..:..Z$")
            self.assertEqual(fake.post("b")[0], 200)
            status, headers, _ = fake.post("c")
            self.assertEqual((status, headers["retry-after"]), (429, "1"))
            self.assertEqual(fake.log()[-1]["cause"], "rate")
            fake.control("rpm=6000 itpm=1000000 otpm=1000000")
            headers = fake.post("d")[1]
            self.assertEqual(headers["anthropic-ratelimit-input-tokens-limit"], "1000000")
            self.assertEqual(headers["anthropic-ratelimit-output-tokens-remaining"], "1000000")

    def test_latency(self):
        with Fake("ttfb=200 gen=400", "--time-scale", "2") as fake:
            start = time.monotonic()
            connection = fake.hold_open("slow", stream=True)
            answer = connection.getresponse()
            first = time.monotonic() - start
            message = assemble(events(answer.read()))
            whole = time.monotonic() - start
            connection.close()
            self.assertTrue(message["content"][0]["text"])
            self.assertTrue(0.09 < first < 0.29, first)
            self.assertTrue(0.29 < whole < 0.9, whole)
            entry = fake.log()[0]
            self.assertAlmostEqual(entry["t_first"] - entry["t"], 0.1, delta=0.1)
            self.assertTrue(0.29 < entry["t_end"] - entry["t"] < 0.9)

    def test_bad_words_are_named(self):
        for text, why in (("drak", "drak"), ("p=2", "p=2"), ("calm; dark", "never reached"),
                          ("repeat", "repeat"), ("cap=x..3", "cap=x..3"), ("ttfb=1y", "ttfb=1y")):
            run = subprocess.run([PROGRAM, text], capture_output=True, text=True, check=False)
            self.assertEqual(run.returncode, 2)
            self.assertIn(why, run.stderr)
        with Fake("dark") as fake:
            for wish in ("drak", '{"weather":"drak"}', '{"add":"a; b"}', "{}",
                         '{"weather":"calm","add":"drak"}', '{"time_scale":0,"weather":"calm"}'):
                status, _, answer = fake.ask("POST", "/_control", wish)
                self.assertEqual(status, 400)
                self.assertTrue(json.loads(answer)["error"])
            self.assertEqual(fake.get("/_stats")["weather"], "dark")


class Control(unittest.TestCase):
    def test_reset_forgets(self):
        with Fake("hold") as fake:
            connection = fake.hold_open("[tag:x]")
            fake.wait("held=1")
            status, _, answer = fake.ask("POST", "/_reset")
            self.assertEqual((status, json.loads(answer)["arrivals"]), (200, 0))
            with self.assertRaises((http.client.BadStatusLine, ConnectionError)):
                connection.getresponse()
            connection.close()
            self.assertEqual(fake.log(), [])
            self.assertEqual(fake.get("/_tags"), {})

    def test_wait(self):
        with Fake() as fake:
            self.assertEqual(fake.ask("GET", "/_wait?arrivals=1&timeout=0.05")[0], 504)
            self.assertEqual(fake.ask("GET", "/_wait?nothing=1")[0], 400)
            self.assertEqual(fake.ask("GET", "/_wait?timeout=1")[0], 200)
            result = []
            waiter = threading.Thread(
                target=lambda: result.append(fake.wait("tag=w&completed=2&timeout=10")))
            waiter.start()
            fake.post("[tag:other]")
            fake.post("[tag:w]")
            fake.post("[tag:w]")
            waiter.join(15)
            self.assertEqual(result[0]["accepted_again"], 1)
            entries = fake.ask("GET", "/_log?since=2")[2].splitlines()
            self.assertEqual(len(entries), 1)

    def test_a_crowd(self):
        with Fake("gen=500 ttfb=100 deltas=20") as fake:
            crowd = [fake.hold_open("[tag:c%d]" % n, stream=True) for n in range(400)]
            for connection in crowd[::2]:
                connection.close()
            for connection in crowd[1::2]:
                assemble(events(connection.getresponse().read()))
                connection.close()
            stats = fake.wait("open=0")
            self.assertEqual((stats["completed"], stats["client_left"]), (200, 200))
            self.assertEqual((stats["tags"], stats["accepted_again"]), (400, 0))

    def test_keep_alive_goes_on_after_anything(self):
        with Fake() as fake:
            connection = fake.connect()
            for words in ("529", "gen=20", "error-mid", "truncated", "empty", "502", "refuse=10 503", "calm"):
                for stream in (False, True):
                    connection.request("POST", "/v1/messages", body("[fake:%s]" % words, stream=stream),
                                       VERSION)
                    connection.getresponse().read()
            connection.close()
            self.assertEqual(fake.wait("open=0")["arrivals"], 16)


if __name__ == "__main__":
    unittest.main()
