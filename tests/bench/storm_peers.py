#!/usr/bin/env python3
"""What a user has today, over real sockets: so many independent loops with one of the policies of
tests/storms/peers.py around them.

    storm_peers.py HOST PORT KEY POLICY SEED SCALE WORKERS MODEL...

POLICY is a name of LOOPS in tests/storms/run.py. Job number k carries the tag k and goes to the
first worker that is free, for ever. It says "ready", begins with the first line on its standard
input, and at SIGTERM prints {"given_up": jobs, "cpu": seconds}.
"""
import asyncio, json, os, resource, signal, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "storms"))
import run as storms
from upstream import OK, Result, TIMEOUT_S

HEAD = "POST /v1/messages HTTP/1.1\r\nhost: %s\r\nx-api-key: %s\r\nanthropic-version: 2023-06-01\r\n" \
       "content-type: application/json\r\ncontent-length: %d\r\n\r\n"
BODY = '{"model":"%s","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"[tag:%d] Hello"}]}'


class Clock:
    """Seconds of weather, for policies and sleeps."""

    def __init__(self, scale):
        self.scale, self.start = scale, asyncio.get_running_loop().time()

    @property
    def now(self):
        return (asyncio.get_running_loop().time() - self.start) * self.scale

    async def sleep(self, seconds):
        await asyncio.sleep(seconds / self.scale)


class Connection:
    """One request at a time, kept alive."""

    def __init__(self, host, port, key, scale):
        self.host, self.port, self.key, self.scale, self.streams = host, port, key, scale, None

    def drop(self):
        if self.streams:
            self.streams[1].close()
        self.streams = None

    async def head(self):
        head = (await self.streams[0].readuntil(b"\r\n\r\n")).lower()
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        return int(head[9:12]), fields

    async def body(self, fields):
        """Whether it was a stream that came to its end."""
        reader, last = self.streams[0], b""
        if b"content-length" in fields:
            await reader.readexactly(int(fields[b"content-length"]))
            return False
        while size := int(await reader.readline(), 16):
            last = await reader.readexactly(size + 2)
        await reader.readline()
        return b"message_stop" in last

    async def ask(self, model, tag):
        if not self.streams:
            self.streams = await asyncio.open_connection(self.host, self.port)
        body = BODY % (model, tag)
        self.streams[1].write((HEAD % (self.host, self.key, len(body)) + body).encode())
        status, fields = await asyncio.wait_for(self.head(), TIMEOUT_S / self.scale)
        whole = await self.body(fields)
        if fields.get(b"connection") == b"close":
            self.drop()
        kind = OK if status == 200 and whole else str(status) if status in (429, 529) else "500"
        return Result(kind, float(fields.get(b"retry-after", 0)), None)

    async def call(self, model, tag):
        try:
            return await self.ask(model, tag)
        except asyncio.TimeoutError:
            self.drop()
            return Result("timeout", 0.0, None)
        except (OSError, EOFError, asyncio.IncompleteReadError):
            self.drop()
            return Result("500", 0.0, None)


class Peers:
    def __init__(self, host, port, key, policy, seed, scale, workers, chain):
        self.clock = Clock(scale)
        self.policy = storms.LOOPS[policy](self.clock, chain, workers, seed)
        self.connections = [Connection(host, port, key, scale) for _ in range(workers)]
        self.jobs = self.given_up = 0

    async def work(self, number):
        await self.clock.sleep(0.01 * number)
        while True:
            self.jobs += 1
            if not await self.one(number, self.jobs):
                self.given_up += 1

    async def one(self, number, tag):
        """One job by the rule: whether it got its answer."""
        loop, answer = self.policy.loop(number, tag), None
        while True:
            try:
                wish, what = loop.send(answer)
            except StopIteration as end:
                return end.value
            answer = None
            if wish == "sleep":
                await self.clock.sleep(what)
            else:
                answer = await self.connections[number].call(what, tag)


async def main(host, port, key, policy, seed, scale, workers, *chain):
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    peers = Peers(host, int(port), key, policy, int(seed), float(scale), int(workers), chain)
    tasks = [asyncio.create_task(peers.work(i)) for i in range(int(workers))]
    await asyncio.wait([asyncio.create_task(end.wait()), *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()  # says what broke it
        task.cancel()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"given_up": peers.given_up, "cpu": usage.ru_utime + usage.ru_stime}))


if __name__ == "__main__":
    if len(sys.argv) < 9:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
