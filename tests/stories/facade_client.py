"""HTTP over a UNIX socket, for the stories about the façade."""
import http.client, json, socket
from lib import DEADLINE, Failure

# What the SDKs send beside the body.
HEADERS = {"content-type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": "dummy",
           "user-agent": "story/1"}


def path_of(daemon):
    return daemon.socket[:-len(".sock")] + "-http.sock"


class Connection(http.client.HTTPConnection):
    def __init__(self, daemon, timeout=DEADLINE):
        super().__init__("localhost", timeout=timeout)
        self.path = path_of(daemon)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, response, data):
        self.status, self.data = response.status, data
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    def json(self):
        return json.loads(self.data)

    def error(self):
        """(type, message) of an error in the API's shape."""
        value = self.json()
        if value["type"] != "error" or value["request_id"] != self.headers["request-id"]:
            raise Failure("no error as the API says it: %r" % self.data)
        return value["error"]["type"], value["error"]["message"]


def ask(daemon, method, path, body=None, headers=None, connection=None, timeout=DEADLINE):
    """One request and its whole answer; headers are added to the usual ones, None takes one away."""
    own = connection or Connection(daemon, timeout)
    all_headers = {**HEADERS, **(headers or {})}
    own.request(method, path, body, {name: value for name, value in all_headers.items() if value is not None})
    response = own.getresponse()
    answer = Answer(response, response.read())
    if not connection:
        own.close()
    return answer


def create(daemon, body, headers=None, path="/v1/messages", **options):
    return ask(daemon, "POST", path, body, headers, **options)


def open_connections(daemon):
    """All that are open, HTTP or not, but for the one that asks."""
    for line in ask(daemon, "GET", "/metrics").data.splitlines():
        if line.startswith(b"forebay_connections_open "):
            return int(line.split()[1]) - 1
    raise Failure("no such metric")


class Shared:
    """What a response reads from: the next one goes on where it ended."""

    def __init__(self, connected):
        self.file = connected.makefile("rb")

    def makefile(self, _mode):
        return self

    def __getattr__(self, name):
        return getattr(self.file, name)

    def close(self):
        pass


class Raw:
    """A socket that says what it likes."""

    def __init__(self, daemon, timeout=DEADLINE):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path_of(daemon))
        self.reader = Shared(self.socket)

    def send(self, data):
        self.socket.sendall(data)
        return self

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def answer(self):
        """One response, by what is said of its length."""
        response = http.client.HTTPResponse(self.reader)
        response.begin()
        return Answer(response, response.read())

    def rest(self):
        """All bytes until the other side closes."""
        return self.reader.file.read()

    def close(self):
        self.reader.file.close()
        self.socket.close()


def post(body, *lines, path="/v1/messages"):
    """A request as bytes."""
    head = ["POST %s HTTP/1.1" % path, "host: localhost", "content-length: %d" % len(body), *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
