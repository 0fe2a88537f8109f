#!/usr/bin/env python3
"""A client for forebayd in the Python standard library, written from PROTOCOL.md alone.

    forebay_client.py SOCKET submit BODYFILE    submit, follow, print the text as it streams"""
import json, os, pathlib, socket, struct, sys, uuid

HELLO, REQUEST, DATA, EVENT, REPLY, ERROR, CANCEL, PING, PONG, CHUNK = range(1, 11)
END, PIECE = 1, 1 << 20

class ForebayError(Exception):  # its argument is the JSON of the ERROR frame
    error = property(lambda self: self.args[0]["error"])

class Client:
    def __init__(self, path=None, timeout=60):
        self.socket, self.stream, self.kept = socket.socket(socket.AF_UNIX), 0, {}
        self.socket.settimeout(timeout)
        self.socket.connect(path or os.environ["FOREBAY_SOCKET"])
        self.reader = self.socket.makefile("rb")
        self.send(HELLO, 0, 0, b'{"protocol": 1, "client": "forebay_client.py"}')
        self.hello = json.loads(self.read()[3])

    def send(self, kind, flags, stream, payload=b""):
        self.socket.sendall(struct.pack(">IBBHI", len(payload), kind, flags, 0, stream) + payload)

    def read(self):
        """The next frame that is about a stream: (type, flags, stream, payload)."""
        while len(header := self.reader.read(12)) == 12:
            length, kind, flags, _, stream = struct.unpack(">IBBHI", header)
            if len(payload := self.reader.read(length)) < length:
                break
            if kind == PING:
                self.send(PONG, 0, 0, payload)
            elif kind == ERROR and stream == 0:
                raise ForebayError(json.loads(payload))
            elif kind != PONG:
                return kind, flags, stream, payload
        raise ConnectionError("forebayd closed the connection")

    def start(self, verb, body=None, **arguments):
        """Send a request, return its stream; many may be under way at once."""
        self.stream += 1
        self.kept[self.stream] = []  # frames read while another stream was waited for
        text = json.dumps({"verb": verb, **arguments}).encode()
        self.send(REQUEST, END if body is None else 0, self.stream, text)
        while body is not None:
            piece, body = body[:PIECE], body[PIECE:] or None
            self.send(DATA, END if body is None else 0, self.stream, piece)
        return self.stream

    def answer(self, stream):
        """Yield (type, JSON or bytes) of each frame of the stream, until its end."""
        flags = 0
        while not flags & END:
            while not self.kept[stream]:
                frame = self.read()
                self.kept.get(frame[2], []).append(frame)
            kind, flags, _, payload = self.kept[stream].pop(0)
            if kind == ERROR:
                raise ForebayError(json.loads(payload))
            yield kind, json.loads(payload) if kind in (EVENT, REPLY) else payload

    def finish(self, stream):  # (reply, data)
        frames = list(self.answer(stream))
        reply = [value for kind, value in frames if kind == REPLY][0]
        return reply, b"".join(value for kind, value in frames if kind == DATA)

    def request(self, verb, body=None, **arguments):
        return self.finish(self.start(verb, body, **arguments))
    def submit(self, body, **options):
        return self.request("submit", body, **{"key": uuid.uuid4().hex, **options})[0]["id"]
    def wait(self, *ids, **options):
        return self.request("wait", ids=ids, **options)[0]
    def result(self, id):
        return self.request("result", id=id)
    def follow(self, id, **options):
        return self.answer(self.start("follow", id=id, **options))

def print_answer(client, id):
    rest, shown, reply, data = b"", "", None, b""
    for kind, value in client.follow(id):
        if kind == EVENT and value.get("restart"):  # what was shown is void: begin again
            print()
            rest, shown = b"", ""
        elif kind == CHUNK:
            *lines, rest = (rest + value).split(b"\n")
            for line in (line for line in lines if line.startswith(b"data:")):
                shown += (text := (json.loads(line[5:]).get("delta") or {}).get("text", ""))
                print(text, end="", flush=True)
        reply = value if kind == REPLY else reply
        data += value if kind == DATA else b""
    if reply["state"] != "succeeded":
        sys.exit("%s: %s" % (reply.get("error"), reply.get("message")))
    print("".join(b.get("text", "") for b in json.loads(data)["content"])[len(shown):])

if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[2] != "submit":
        sys.exit(__doc__)
    client = Client(sys.argv[1], timeout=None)
    print_answer(client, client.submit(pathlib.Path(sys.argv[3]).read_bytes()))
