#!/usr/bin/env python3
"""An https upstream is used with a certificate we trust, and never without: the job waits, uncounted, and says why."""
import os
import shutil
import socket
import ssl
import subprocess
import threading
from lib import Story, body, check, contains, equal, eventually, skip

if not shutil.which("openssl"):
    skip("openssl is not installed: no certificate to test with")


class Tls:
    """TLS in front of the fake API: every connection is taken in and passed on."""

    def __init__(self, certificate, key, port):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.upstream = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            plain, _address = self.listener.accept()
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def serve(self, plain):
        try:
            outside = self.context.wrap_socket(plain, server_side=True)
        except OSError:
            return  # the client did not like us
        inside = socket.create_connection(self.upstream)
        threading.Thread(target=self.copy, args=(inside, outside), daemon=True).start()
        self.copy(outside, inside)

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


with Story() as story:
    api = story.fakeapi()
    certificate, key = (os.path.join(story.dir, name) for name in ("tls.crt", "tls.key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
                   check=True, stderr=subprocess.DEVNULL)
    tls = Tls(certificate, key, int(api.url.rsplit(":", 1)[1]))
    url = "upstream.url=https://localhost:%d" % tls.port

    # Nobody vouches for it: nothing is sent, nothing fails, and the ledger says what is wrong.
    daemon = story.daemon(api, url)
    client = daemon.client()
    id = client.submit(body("[echo:sealed]"))
    eventually(lambda: any("ended" in row for row in client.show(id)[1]), "a first try ends")
    job, attempts = client.show(id)[:2]
    equal("queued", job["state"])
    equal(0, job["attempts"], "without a connection nothing was tried")
    contains("network/tls", attempts[0]["error_type"])
    equal(0, api.stats()["arrivals"])

    # With the authority given, it goes through.
    daemon.stop()
    daemon = daemon.again(url, "upstream.ca_file=" + certificate)
    equal("sealed", daemon.client().text(id))
    equal(1, api.stats()["arrivals"])
