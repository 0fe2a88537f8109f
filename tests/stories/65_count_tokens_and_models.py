#!/usr/bin/env python3
"""Counting tokens and listing models are no jobs: they pass the gates of key and host and one of
their own, are tried again as jobs are, and no model's weather keeps them."""
import threading
from facade_client import ask
from lib import Story, body, check, contains, equal

COUNT = "/v1/messages/count_tokens"


def no_weather_of_a_model_keeps_them(api, daemon):
    api.control("dark")
    answer = ask(daemon, "POST", COUNT, body("how long is this?"))
    equal((200, ["input_tokens"]), (answer.status, list(answer.json())))
    equal("application/json", answer.headers["content-type"])
    contains("req_fake", answer.headers["request-id"])
    equal(body("how long is this?"), api.ask("GET", "/_body")[1], "the body reaches the API as it was")
    page = ask(daemon, "GET", "/v1/models?limit=2").json()
    equal((2, True), (len(page["data"]), page["has_more"]))
    rest = ask(daemon, "GET", "/v1/models?limit=1&after_id=" + page["last_id"]).json()
    check(rest["data"][0] not in page["data"], "the next page is another one")
    equal("claude-haiku-4-5-20251001", ask(daemon, "GET", "/v1/models/claude-haiku-4-5").json()["id"])


def what_the_api_says_of_them_is_handed_on(api, daemon):
    answer = ask(daemon, "GET", "/v1/models/nobody")
    equal((404, "not_found_error"), (answer.status, answer.error()[0]))
    answer = ask(daemon, "POST", COUNT, b'{"messages":[]}')
    equal((400, ("invalid_request_error", "model: Field required")), (answer.status, answer.error()))
    equal("false", answer.headers["x-should-retry"])
    # A refusal that outlasts what a client waits is handed on at once, and is no last word.
    api.control("model=models 429 retry-after=3000")
    answer = ask(daemon, "GET", "/v1/models")
    equal((429, "true", "60"), (answer.status, answer.headers["x-should-retry"], answer.headers["retry-after"]))
    daemon.client().request("release", target="models")
    api.control("calm")


def they_are_tried_again_inside(api, daemon):
    api.control("model=models 529")
    before, answers = api.stats()["arrivals"], []
    asking = threading.Thread(target=lambda: answers.append(ask(daemon, "GET", "/v1/models").status))
    asking.start()
    api.until(arrivals=before + 3)
    equal([], answers, "a refusal does not reach the client while there is time")
    api.control("calm")
    asking.join()
    equal([200], answers)


def they_keep_to_a_limit_of_their_own(api, daemon):
    api.control("model=count_tokens rpm=60 burst=1")
    before = api.stats()["by_status"].get("429", 0)
    equal([200] * 4, [ask(daemon, "POST", COUNT, body()).status for _ in range(4)])
    # The first one cannot know of it.
    check(api.stats()["by_status"].get("429", 0) <= before + 1, "the limit was told and is kept to")


def a_closed_key_keeps_them(api, daemon):
    api.control("calm")
    daemon.cli("hold", "key")
    arrivals, answers = api.stats()["arrivals"], []
    asking = threading.Thread(target=lambda: answers.append(ask(daemon, "GET", "/v1/models").status))
    asking.start()
    asking.join(0.3)
    equal(([], arrivals), (answers, api.stats()["arrivals"]), "nothing goes while the key is held")
    daemon.cli("release", "key")
    asking.join()
    equal([200], answers)


with Story() as story:
    api = story.fakeapi(None, "--time-scale", "20")
    daemon = story.daemon(api, env={"FOREBAY_TIME_SCALE": "20"})
    no_weather_of_a_model_keeps_them(api, daemon)
    what_the_api_says_of_them_is_handed_on(api, daemon)
    they_are_tried_again_inside(api, daemon)
    they_keep_to_a_limit_of_their_own(api, daemon)
    a_closed_key_keeps_them(api, daemon)
    reply, _ = daemon.client().request("list")
    equal(0, reply["rows"], "none of them is a job")
    equal(0, api.stats()["accepted"])
