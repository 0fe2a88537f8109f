#!/usr/bin/env python3
"""Run every test, as many at a time as there are processors, each with a deadline.

    run.py [WORD...]      only tests whose name contains one of the words

Environment: OUT (the build directory, "out"), SAN (set under sanitizers: deadlines are longer),
LONG=1 (the long forms). A program that ends with status 77 was skipped and says why. Each cmocka
test counts as one, everything else counts once a program. The last line is `N passed, N failed`.
"""
import concurrent.futures, glob, os, re, signal, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.environ.get("OUT") or "out"
LONG = os.environ.get("LONG") == "1"
SLOWER = 5 if os.environ.get("SAN") else 1
SKIP = 77
PYTHON = sys.executable


class Test:
    def __init__(self, name, command, deadline, weight=0, cmocka=False):
        self.name, self.command, self.deadline = name, command, deadline * SLOWER
        self.weight, self.cmocka = weight, cmocka  # the heavy ones start first


def found(pattern):
    return sorted(glob.glob(os.path.join(ROOT, pattern)))


def stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def built(kind, prefix):
    """The programs of out/tests/KIND that have a source file (others are left-overs)."""
    for source in found("tests/%s/%s*.c" % (kind, prefix)):
        yield os.path.join(os.path.abspath(os.path.join(ROOT, OUT)), "tests", kind, stem(source))


def every_test():
    yield Test("lint", ["tests/lint/lint.sh"], 60, 9)
    yield Test("storms/sim_with_c_gate", [PYTHON, "tests/storms/sim_with_c_gate.py"], 300, 9)
    for path in found("tests/crash/*.py"):
        if "__main__" in open(path).read():
            yield Test("crash/" + stem(path), [PYTHON, path], 3600 if LONG else 240, 8)
    yield Test("fakeapi/selftest", [PYTHON, "tests/fakeapi/selftest.py"], 120, 7)
    for path in found("tests/stories/[0-9][0-9]_*.*"):
        command = [PYTHON, path] if path.endswith(".py") else ["sh", path]
        yield Test("stories/" + stem(path), command, 90, 5)
    for path in built("unit", "test_"):
        yield Test("unit/" + stem(path), [path], 30, 2, cmocka=True)
    for path in built("fuzz", "fuzz_"):
        corpus = "tests/fuzz/corpus/" + stem(path)[len("fuzz_"):]
        yield Test("fuzz/" + stem(path), [path, corpus], 60, 1)


def run(test):
    """(test, seconds, status, output); status None: the deadline passed."""
    start = time.monotonic()
    try:
        process = subprocess.Popen(test.command, cwd=ROOT, stdin=subprocess.DEVNULL, text=True,
                                   errors="replace", stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   env={**os.environ, "OUT": OUT, "PYTHONDONTWRITEBYTECODE": "1"})
    except OSError as error:
        return test, 0, 1, "%s: %s\n" % (test.command[0], error.strerror)
    try:
        output, _ = process.communicate(timeout=test.deadline)
        status = process.returncode
    except subprocess.TimeoutExpired:
        output, status = stop(process), None
    # Whatever it left behind shares its group.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return test, time.monotonic() - start, status, output


def stop(process):
    """Ask first, so that a story can still show its logs; then insist."""
    process.terminate()
    try:
        return process.communicate(timeout=10)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0]


def count(test, status, output):
    """How many tests (passed, failed, skipped) that was."""
    if not test.cmocka:
        return (status == 0, status not in (0, SKIP), status == SKIP)
    passed, failed, skipped = (sum(int(n) for n in re.findall(pattern, output, re.M)) for pattern in (
        r"^\[  PASSED  \] (\d+) test", r"^\[  FAILED  \].*?: (\d+) test",
        r"^\[  SKIPPED \].*?: (\d+) test"))
    # A crash leaves no line, and a program that tests nothing is no success.
    if not failed and (status != 0 or not passed + skipped):
        failed = 1
    return passed, failed, skipped


def why_skipped(output):
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1].removeprefix("SKIPPED: ") if lines else "no reason given"


def main():
    words = sys.argv[1:]
    tests = [test for test in every_test() if not words or any(word in test.name for word in words)]
    tests.sort(key=lambda test: -test.weight)
    totals, failures, skips = [0, 0, 0], [], []
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
        for future in concurrent.futures.as_completed([pool.submit(run, test) for test in tests]):
            test, seconds, status, output = future.result()
            counts = count(test, status, output)
            totals = [total + more for total, more in zip(totals, counts)]
            passed, failed, skipped = counts
            word = "FAIL" if failed else "skip" if skipped and not passed else "ok"
            note = " (%d tests)" % passed if test.cmocka and passed > 1 else ""
            if status is None:
                note = " (stopped: its deadline of %d s passed)" % test.deadline
            if word == "skip":
                note = " SKIPPED: " + why_skipped(output)
                skips.append(test.name + note)
            print("%-4s %6.2fs  %s%s" % (word, seconds, test.name, note), flush=True)
            if word == "FAIL":
                failures.append((test, status, output))

    for test, status, output in failures:
        how = "deadline" if status is None else "signal %d" % -status if status < 0 else "status %d" % status
        print("\n=== %s (%s)\n%s" % (test.name, how, output.rstrip()))
    if skips:
        print("\nNOT TESTED HERE:\n  " + "\n  ".join(skips))
    print("\n%.0f s" % (time.monotonic() - begin))
    passed, failed, skipped = totals
    print("%d passed, %d failed" % (passed, failed) + (", %d skipped" % skipped if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
