"""An echo server on [::]:7 (`echo.py serve`), or a client: `echo.py ADDRESS SECONDS` sends a number every 100 ms on
one connection, and fails if one does not come back within five seconds, or if the connection ends."""
import socket
import socketserver
import sys
import time


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256


if sys.argv[1] == "serve":
    Server(("::", 7), Echo).serve_forever()
start = time.monotonic()
sock = socket.create_connection((sys.argv[1], 7), timeout=5)
print("connected after %.3f s" % (time.monotonic() - start), flush=True)
number, slowest = 0, 0.0
while time.monotonic() - start < float(sys.argv[2]):
    number += 1
    sent = time.monotonic()
    message = b"%08d" % number
    sock.sendall(message)
    back = b""
    while len(back) < len(message):
        piece = sock.recv(len(message) - len(back))
        if not piece:
            sys.exit("the connection ended")
        back += piece
    if back != message:
        sys.exit("another message came back")
    slowest = max(slowest, time.monotonic() - sent)
    time.sleep(0.1)
print("%d messages, the slowest after %.3f s" % (number, slowest), flush=True)
