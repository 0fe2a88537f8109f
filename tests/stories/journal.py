"""A journal of one's own: a daemon that takes its stderr for the journal's stream, and what it writes there."""
import os, select, socket, subprocess

# A /run that only the daemon sees, and $JOURNAL_STREAM as the service manager sets it.
SCRIPT = """mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind "$0" /run/systemd/journal || exit 1
JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) || exit 1
export JOURNAL_STREAM
exec "$@"
"""


class Journal:
    """`prefix` is for Story.daemon(); `entries` are dictionaries of fields, as read by gather()."""

    def __init__(self, story):
        self.entries, self.dir = [], os.path.join(story.dir, "journal")
        os.mkdir(self.dir)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(os.path.join(self.dir, "socket"))
        self.prefix = ("unshare", "-m", "sh", "-c", SCRIPT, self.dir)

    @staticmethod
    def possible():
        """Whether we may have a view of our own of what is mounted."""
        return subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/run"],
                              capture_output=True).returncode == 0

    def gather(self):
        """All that has been written by now. The socket holds little: gather often."""
        while select.select([self.socket], [], [], 0)[0]:
            fields = {}
            for line in self.socket.recv(1 << 16).split(b"\n"):
                name, equals, value = line.partition(b"=")
                if equals:
                    fields[name.decode()] = value.decode(errors="replace")
            self.entries.append(fields)
        return self.entries
