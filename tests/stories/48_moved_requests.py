#!/usr/bin/env python3
"""A request that moves to another model is fitted to it, keeps its meaning, and everything done to it is said."""
import json
from lib import Story, body, check, contains, equal, text_of

SONNET, HAIKU, OLD = "claude-sonnet-5-5", "claude-haiku-5-5", "claude-haiku-4-5"
SCALE = 20
DARK = "always ttfb=100 gen=100 refuse=50; dark model=*haiku* clear"


def text(words, **more):
    return body(words, model=SONNET, **more)


with Story() as story:
    api = story.fakeapi(DARK, "--time-scale", str(SCALE))
    daemon = story.daemon(api, config=story.file("chains.conf", "[chain pliant]\nmodels = %s, %s\nadapt = yes\n"
                                                 "shrink_to = 100\n" % (SONNET, OLD)),
                          env={"FOREBAY_TIME_SCALE": str(SCALE)})
    client = daemon.client(timeout=60)

    def submit(request, chain=(SONNET, HAIKU), **options):
        return client.submit(request, **{"class": "interactive", **options},
                             chain=chain if isinstance(chain, str) else list(chain))

    def sent(tag):
        """The body of the last request of that job, as the API got it."""
        status, data = api.ask("GET", "/_body?seq=%d" % api.attempts(tag)[-1]["seq"])
        equal(200, status)
        return json.loads(data)

    # Somebody keeps the first model dark for longer than an interactive job's patience.
    keeper = submit(text("[tag:keeper] [echo:kept]"), chain=[SONNET])
    first = submit(text("[tag:first] [echo:first]"))
    equal("first", client.text(first))

    # What the next model cannot do as it stands is fitted; what it can is not touched.
    id = submit(text("[tag:fit] [echo:fit]", max_tokens=128000, thinking={"type": "adaptive"},
                     output_config={"effort": "xhigh"}, metadata={"user_id": "u1"}), chain=[SONNET, OLD])
    equal("fit", client.text(id))
    moved = sent("fit")
    equal((OLD, 64000), (moved["model"], moved["max_tokens"]))
    check("thinking" not in moved and "effort" not in moved.get("output_config", {}), "fitted: %s" % moved)
    equal({"user_id": "u1"}, moved["metadata"], "what nobody asked to change")
    job, attempts = client.show(id)
    contains("max_tokens 128000 -> 64000", attempts[-1]["edits"])
    contains("max_tokens 128000 -> 64000", daemon.cli("show", id).stdout)
    equal((SONNET, OLD), (job["model"], attempts[-1]["model"]))
    equal(0, job["attempts"] - 1, "refusals are no attempts: %s" % job)

    # A follower hears of the move and of the edits.
    stream = client.start("follow", id=submit(text("[tag:told] [echo:told]", max_tokens=128000), chain=[SONNET, OLD]))
    reply, data, events, live = client.collect(stream)
    last = [event for event in events if event["event"] == "attempt"][-1]
    equal((OLD, "max_tokens 128000 -> 64000"), (last["model"], last.get("edits")))
    equal((SONNET, OLD), (reply["model_requested"], reply["model_served"][:len(OLD)]))

    # Sampling: dropped where the chain allows it, else that model is no fallback.
    warm = text("[tag:warm] [echo:warm]", temperature=0.5, top_p=0.9)
    equal("warm", client.text(submit(warm, chain="pliant")))
    check(not {"temperature", "top_p"} & set(sent("warm")) or sent("warm")["model"] == OLD, "%s" % sent("warm"))

    # What would change the meaning is not moved, and says why.
    tool = {"name": "t", "input_schema": {"type": "object"}}
    stay = {
        "forced": submit(body("[tag:forced] [echo:forced]", model=HAIKU, tools=[tool],
                              tool_choice={"type": "any"}), chain=[HAIKU, SONNET]),
        "warm2": submit(text("[tag:warm2] [echo:warm2]", temperature=0.5), chain=[SONNET, HAIKU]),
        "held": submit(text("[tag:held] [echo:held]", container="c1"), chain=[SONNET, HAIKU]),
    }
    for tag, why in (("forced", "tool"), ("warm2", "sampling"), ("held", "container")):
        job, _ = client.show(stay[tag])
        contains(why, job["skipped"], tag)
        contains("skipped", daemon.cli("show", stay[tag]).stdout)

    # A signature of the other model's thinking: asked again once, without the thinking.
    history = [{"role": "user", "content": "[tag:signed] [echo:signed] [fake:signature*1]"},
               {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                                                 {"type": "text", "text": "Yes."}]},
               {"role": "user", "content": "And?"}]
    signed = json.dumps({"model": SONNET, "max_tokens": 64, "messages": history}).encode()
    id = submit(signed)
    equal("signed", client.text(id))
    kept = sent("signed")["messages"]
    equal([{"type": "text", "text": "Yes."}], kept[1]["content"])
    equal([history[0], history[2]], [kept[0], kept[2]])
    job, attempts = client.show(id)
    equal([400, 200], [attempt["http_status"] for attempt in attempts])
    contains("thinking", attempts[-1]["edits"])
    equal(1, job["attempts"], "the 400 counts as nothing: %s" % job)

    # A 400 that only the fallback gives is not the job's end: it waits for its first model.
    id = submit(text("[tag:picky] [echo:picky] [fake:400*1]"))
    api.until(tag="picky", arrivals=1)
    client.until_state(id, "queued")
    contains("not %s, which refused it" % HAIKU, client.show(id)[0]["waiting"])

    # The first model is back: everybody is answered there, and nothing is skipped any more.
    api.control("always ttfb=100 gen=100; calm")
    for tag, waiting in {**stay, "picky": id, "keeper": keeper}.items():
        reply, data = client.end_of(waiting)
        equal("succeeded", reply["state"], tag)
        equal(SONNET if tag != "forced" else HAIKU, reply["model_requested"])

    # A model that does not exist: the chain goes on at once, and for everybody while it is known to.
    api.control("always ttfb=100 gen=100; 404 model=*haiku* clear")
    equal("gone", client.text(submit(text("[tag:gone] [echo:gone]"))))
    equal([(404, SONNET), (200, HAIKU)], [(entry["status"], entry["model"]) for entry in api.attempts("gone")])
    equal("next", client.text(submit(text("[tag:next] [echo:next]"))))
    equal([(200, HAIKU)], [(entry["status"], entry["model"]) for entry in api.attempts("next")])
    contains("unusable", " ".join(gate["words"] for gate in client.request("status")[0]["gates"]))
    # Alone it gets its own answer.
    reply, data = client.end_of(submit(text("[tag:alone] [echo:alone]"), chain=[SONNET]))
    equal(("failed", 404), (reply["state"], reply["http_status"]))
