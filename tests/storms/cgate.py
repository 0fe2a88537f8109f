"""The C gate (libgate-sim.so) with the face of gate.py, for the simulator."""
import ctypes
import os

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.environ.get("OUT", os.path.join(HERE, "..", "..", "out"))
LIB = ctypes.CDLL(os.path.join(OUT, "libgate-sim.so"))
ROOM = 512                               # bytes; the gate itself promises at most 384
DEFAULT = 1                              # enum gate_manner

P, D, I, B = ctypes.c_void_p, ctypes.c_double, ctypes.c_int, ctypes.c_bool
for name, result, args in (
        ("gate_config_init", None, [P, I, I]), ("gate_init", None, [P, P]),
        ("gate_may_send", B, [P, P, D, ctypes.POINTER(D)]), ("gate_sent", None, [P, P, D, P]),
        ("gate_accepted", None, [P, P, D, P]), ("gate_quiet", None, [P, P, D, P]),
        ("gate_stalled", None, [P, P, D, P, D]), ("gate_refused", None, [P, P, D, P, D, B]),
        ("gate_limited", None, [P, P, D, P, D, D]), ("gate_ended", None, [P, P, B]),
        ("gate_headers", None, [P, P, D, D, D]), ("gate_quiet_after", D, [P, P]),
        ("gate_stalled_after", D, [P, P]), ("gate_expected_wait", D, [P, P, D])):
    getattr(LIB, name).restype, getattr(LIB, name).argtypes = result, args

rho = PAUSE = STEP = None                # run.py swaps these for its ablations, which need gate.py


class Cfg:
    slots = 64

    def __init__(self, **over):
        if over:
            raise SystemExit("the C gate's constants are in gate.c; --set needs gate.py")
        self.raw = None


class Tag:
    __slots__ = ("raw", "open", "stalled")

    def __init__(self):
        self.raw, self.open, self.stalled = ctypes.create_string_buffer(ROOM), True, False


def init(c):
    c.raw = ctypes.create_string_buffer(ROOM)
    LIB.gate_config_init(c.raw, c.slots, DEFAULT)
    g = ctypes.create_string_buffer(ROOM)
    LIB.gate_init(g, c.raw)
    return g


def may_send(g, c, now):
    when = D()
    ok = LIB.gate_may_send(g, c.raw, now, when)
    return ok, None if when.value == float("inf") else when.value


def on_send(g, c, now):
    tag = Tag()
    LIB.gate_sent(g, c.raw, now, tag.raw)
    return tag


def on_accept(g, c, now, tag):
    LIB.gate_accepted(g, c.raw, now, tag.raw)


def on_quiet(g, c, now, tag):
    LIB.gate_quiet(g, c.raw, now, tag.raw)


def on_stall(g, c, now, tag, rnd):
    LIB.gate_stalled(g, c.raw, now, tag.raw, rnd)
    tag.stalled = True


def on_refuse(g, c, now, tag, rnd, capacity=True):
    LIB.gate_refused(g, c.raw, now, tag.raw, rnd, capacity)


def on_limit(g, c, now, tag, retry_after, rnd):
    LIB.gate_limited(g, c.raw, now, tag.raw, retry_after, rnd)


def on_end(g, tag, carried):
    LIB.gate_ended(g, tag.raw, carried)


def on_headers(g, c, now, limit_per_min, remaining):
    LIB.gate_headers(g, c.raw, now, limit_per_min or 0, -1 if remaining is None else remaining)


def quiet_after(g, c):
    return LIB.gate_quiet_after(g, c.raw)


def stall_after(g, c):
    return LIB.gate_stalled_after(g, c.raw)


def wait(g, c, now):
    return LIB.gate_expected_wait(g, c.raw, now)
