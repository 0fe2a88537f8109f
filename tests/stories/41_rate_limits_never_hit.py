#!/usr/bin/env python3
"""Eighty per cent more work than the rate limits allow: not one 429, and hardly less than they allow."""
import json
from lib import LONG, SLOWER, Story, body, check, equal, eventually

SCALE = (10 if LONG else 20) // SLOWER
MINUTES = 10 if LONG else 2  # of weather
OVER = 1.8
# Of the limit. A quiet machine gets more than 0.85, as test_ratelimit_world does in simulated time;
# a busy one sleeps through half a second of weather, 25 ms, and what would have gone then is lost.
LEAST = 0.6 if LONG else 0.3

# By model: each kind alone, then all of them, shared by two models of one bucket.
LIMITS = {
    "claude-haiku-5-5": {"rpm": 180},
    "claude-sonnet-5-5": {"itpm": 60000},
    "claude-opus-5-5": {"otpm": 24000},
    "claude-opus-4-8": {"rpm": 120, "itpm": 27000, "otpm": 15500},
}
FAMILY = ("claude-opus-4-8", "claude-opus-4-7")
LIMITS[FAMILY[1]] = LIMITS[FAMILY[0]]


class Group:
    """Models that share their limits, and what was got through them."""

    def __init__(self, *models):
        self.models, self.limits = models, LIMITS[models[0]]
        self.used = dict.fromkeys(self.limits, 0)

    def minute_of(self, costs):
        """How many such requests a minute the tightest limit allows."""
        return min(self.limits[kind] / costs[kind] for kind in self.limits)


def make(tag, i):
    """A body, and what it costs; no two alike."""
    words = "word " * (20 + 37 * i % 160)
    text = "[tag:%s] [echo:%s] %s" % (tag, words, "context " * (i * 53 % 90))
    messages = json.dumps([{"role": "user", "content": text}])
    costs = {"rpm": 1, "itpm": len(messages) // 4 + 8, "otpm": len(words) // 4 + 1}
    return text, costs


def lines_of(group, name):
    """So many requests that they would need OVER times the minutes there are."""
    share, i, lines, costs_of = 0.0, 0, [], {}
    while share < OVER * MINUTES:
        tag = "%s-%d" % (name, i)
        text, costs_of[tag] = make(tag, i)
        lines.append(body(text, model=group.models[i % len(group.models)], max_tokens=4096))
        share += max(costs_of[tag][kind] / limit for kind, limit in group.limits.items())
        i += 1
    return lines, costs_of


with Story() as story:
    weather = "always ttfb=800~0.3 gen=3s~0.5 " + " ".join(
        "model=%s %s" % (model, " ".join("%s=%d" % limit for limit in limits.items()))
        for model, limits in LIMITS.items())
    api = story.fakeapi(weather, "--time-scale", str(SCALE))
    daemon = story.daemon(api, "daemon.workers=64", env={"FOREBAY_TIME_SCALE": str(SCALE)})
    client = daemon.client(timeout=120)
    groups = {"r": Group("claude-haiku-5-5"), "i": Group("claude-sonnet-5-5"),
              "o": Group("claude-opus-5-5"), "f": Group(*FAMILY)}
    costs_of = {}

    # All at once, before anything is known of the limits.
    client.request("hold", target="all")
    for name, group in groups.items():
        lines, costs = lines_of(group, name)
        costs_of.update(costs)
        path = story.file(name + ".jsonl", b"\n".join(lines) + b"\n")
        equal(len(lines), len(daemon.cli("submit", "--jsonl", path, seconds=60 * SLOWER).stdout.split()))
    begun = api.stats()["weather_t"]
    client.request("release", target="all")
    eventually(lambda: api.stats()["weather_t"] >= begun + 60 * MINUTES, "the minutes are over",
               60 * MINUTES / SCALE + 30)

    entries = api.entries()
    equal([], [entry for entry in entries if entry["status"] not in (200, 0)], "refused")
    over = (begun + 60 * MINUTES) / SCALE
    for name, group in groups.items():
        # Two models of a family: to the API of this story each has the limit alone.
        level, last, size = group.limits.get("rpm", 0) / 6, None, group.limits.get("rpm", 0) / 6
        for entry in entries:
            if entry["model"] not in group.models or entry["t"] > over or not entry["accepted"]:
                continue
            for kind in group.used:
                group.used[kind] += costs_of[entry["tag"]][kind]
            if size:
                last = entry["t"] if last is None else last
                level = min(size, level + (entry["t"] - last) * SCALE * group.limits["rpm"] / 60) - 1
                last = entry["t"]
                check(level >= 0, "%s: more than their common limit" % (group.models,))
        shares = {kind: group.used[kind] / (MINUTES * limit) for kind, limit in group.limits.items()}
        print(" ".join(group.models), {kind: "%.1f %%" % (100 * share) for kind, share in shares.items()})
        check(max(shares.values()) >= LEAST, "%s: hardly used: %s" % (group.models, shares))

    equal(0, client.request("stats")[0]["metrics"]["attempts_limited_total"])
