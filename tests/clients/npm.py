"""What npm brings for the stories about clients: each directory here that has a package.json is
installed, exactly as its package-lock.json says, into OUT/clients/NAME, once.

    npm.py NAME...      installs them; a story asks with installed(NAME)

Without npm, node or a registry the program says why and ends with status 77: skipped.
"""
import fcntl, os, re, shutil, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "stories"))
from lib import OUT, Failure, skip

SECONDS = {"claude-code": 600}  # how long npm may take; 60 for the others
OLDEST_NODE = (20, 18, 1)


def need_node():
    for name in "node", "npm":
        if not shutil.which(name):
            skip("there is no %s here" % name)
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=20).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:3])) < OLDEST_NODE:
        skip("node %s is too old, the packages need %d.%d.%d" % (version.strip(), *OLDEST_NODE))


def install(name, where, lock_text):
    seconds = SECONDS.get(name, 60)
    for file in "package.json", "package-lock.json":
        shutil.copy(os.path.join(HERE, name, file), where)
    # Scripts of packages are never run: nothing here needs them.
    command = ["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts",
               "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=3000"]
    try:
        got = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        skip("npm could not bring %s within %d s" % (name, seconds))
    if got.returncode != 0:
        words = [line for line in got.stderr.splitlines() if "npm error" in line] or ["it did not say why"]
        skip("npm could not bring %s: %s" % (name, words[0].removeprefix("npm error").strip()))
    with open(os.path.join(where, "installed"), "w") as stamp:
        stamp.write(lock_text)


def installed(name):
    """The directory where it is; its programs are run there."""
    need_node()
    where = os.path.join(OUT, "clients", name)
    os.makedirs(where, exist_ok=True)
    lock_text = open(os.path.join(HERE, name, "package-lock.json")).read()
    stamp = os.path.join(where, "installed")
    with open(where + ".lock", "w") as lock:  # stories run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(stamp) or open(stamp).read() != lock_text:
            install(name, where, lock_text)
    return where


def version(name, package):
    """Of a package that package.json names."""
    text = open(os.path.join(HERE, name, "package.json")).read()
    found = re.search(r'"%s": "([0-9.]+)"' % re.escape(package), text)
    if not found:
        raise Failure("%s/package.json names no version of %s" % (name, package))
    return found.group(1)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(installed(argument))
