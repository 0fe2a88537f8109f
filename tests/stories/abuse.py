"""What the stories about hostile and clumsy clients share: bytes on a socket, and a bystander."""
import json, socket, struct, threading, time
from lib import DEADLINE, END, ERROR, SLOWER, Failure, body, check

HELLO, REQUEST, DATA, REPLY, CANCEL, PING = 1, 2, 3, 5, 7, 8
GREETING = b'{"protocol":1,"client":"story"}'


def frame(kind, stream, payload=b"", flags=0, length=None):
    return struct.pack(">IBBHI", len(payload) if length is None else length, kind, flags, 0, stream) + payload


def request(stream, verb, flags=END, **arguments):
    return frame(REQUEST, stream, json.dumps({"verb": verb, **arguments}).encode(), flags)


def submit(stream, text, **arguments):
    return request(stream, "submit", 0, **arguments) + frame(DATA, stream, text, END)


HELLO_FRAME = frame(HELLO, 0, GREETING)


class Raw:
    """A connection on which anything can be sent, and nothing needs to be read."""

    def __init__(self, daemon, greet=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(daemon.socket)
        self.reader = self.socket.makefile("rb")
        if greet:
            self.send(HELLO_FRAME)
            self.frame()

    def send(self, data):
        """False: the daemon has closed the connection, which it may."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def stuff(self, data):
        """Send as much as it takes now; how many bytes that was."""
        self.socket.setblocking(False)
        sent = 0
        try:
            while sent < len(data):
                sent += self.socket.send(data[sent:sent + (1 << 20)])
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
        self.socket.settimeout(DEADLINE)
        return sent

    def frame(self):
        """(type, flags, stream, payload), None at the end."""
        try:
            header = self.reader.read(12)
            if len(header) < 12:
                return None
            length, kind, flags, _, stream = struct.unpack(">IBBHI", header)
            return kind, flags, stream, self.reader.read(length)
        except ConnectionResetError:
            return None

    def until(self, kind, stream):
        """The JSON of the next such frame."""
        while got := self.frame():
            if got[0] == ERROR and got[2] == 0 and (kind, stream) != (ERROR, 0):
                raise Failure("the connection broke: %r" % got[3])
            if got[0] == kind and got[2] == stream:
                return json.loads(got[3])
        raise Failure("the connection was closed before a frame of type %d on stream %d" % (kind, stream))

    def answer(self, stream):
        """The first REPLY or ERROR of a stream: (type, JSON)."""
        while got := self.frame():
            if got[0] == ERROR and got[2] == 0:
                raise Failure("the connection broke: %r" % got[3])
            if got[0] in (REPLY, ERROR) and got[2] == stream:
                return got[0], json.loads(got[3])
        raise Failure("the connection was closed before an answer on stream %d" % stream)

    def last_words(self):
        """The ERROR on stream 0 before the end, or None."""
        error = None
        while got := self.frame():
            if got[0] == ERROR and got[2] == 0:
                error = json.loads(got[3])
        return error

    def close(self):
        self.reader.close()
        self.socket.close()


def resident(daemon, what="VmRSS"):
    """Its memory, in bytes; VmHWM: the most it ever had."""
    with open("/proc/%d/status" % daemon.pid) as file:
        return 1024 * int([line for line in file if line.startswith(what)][0].split()[1])


class Bystander(threading.Thread):
    """An innocent client: submits small jobs, one after the other, and notes how long each
    acknowledgement takes."""

    def __init__(self, daemon, uid=None):
        super().__init__(daemon=True)
        self.client, self.times, self.ending, self.error = daemon.client(uid), [], False, None
        self.at_work = threading.Event()
        self.start()

    def run(self):
        try:
            while not self.ending:
                start = time.monotonic()
                self.client.submit(body("[echo:bystander]"))
                self.times.append(time.monotonic() - start)
                if len(self.times) == 10:
                    self.at_work.set()
        except Exception as error:
            self.error = error
            self.at_work.set()

    def done(self, at_most=2.0):
        """It was served all the time, and never waited longer than that many seconds."""
        self.at_work.wait(DEADLINE)
        self.ending = True
        self.join(DEADLINE)
        check(not self.error, "a bystander was hurt: %r" % self.error)
        check(len(self.times) >= 10, "a bystander had only %d jobs accepted" % len(self.times))
        worst = max(self.times)
        print("bystander: %d submits, median %.1f ms, longest %.0f ms" % (
            len(self.times), 1000 * sorted(self.times)[len(self.times) // 2], 1000 * worst))
        check(worst < at_most * SLOWER, "a bystander waited %.1f s for an acknowledgement" % worst)
