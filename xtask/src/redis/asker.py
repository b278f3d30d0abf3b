"""Asks A of n<FIRST>.example and on, at a rate, and again until there is an address.

asker.py RESOLVER FIRST COUNT A-SECOND [MOST-WAITING]; prints `NUMBER ADDRESS SECONDS TRIES FAILURES` for each name,
then `# SECONDS` for all of them.
"""
import select
import socket
import struct
import sys
import time

resolver, first, count, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
most = int(sys.argv[5]) if len(sys.argv) > 5 else count
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
sock.connect((resolver, 53))


def query(number):
    name = b"".join(bytes([len(label)]) + label for label in (b"n%d" % number, b"example"))
    return struct.pack("!6H", number & 0xFFFF, 0x100, 1, 0, 0, 0) + name + b"\0" + struct.pack("!2H", 1, 1)


def address(reply):
    """The A record's address; None if there is none."""
    answers = struct.unpack("!H", reply[6:8])[0]
    at = 12
    while reply[at]:
        at += reply[at] + 1
    at += 5
    for _ in range(answers):
        while reply[at] and reply[at] < 0xC0:
            at += reply[at] + 1
        at += 2 if reply[at] >= 0xC0 else 1
        kind, _, _, length = struct.unpack("!2HIH", reply[at:at + 10])
        at += 10
        if kind == 1 and length == 4:
            return socket.inet_ntoa(reply[at:at + 4])
        at += length
    return None


start = time.monotonic()
waiting = {}  # number: [first sent, sent again at, tries, failures]
sent = done = 0
while done < count and time.monotonic() - start < 120:
    now = time.monotonic()
    while sent < count and sent - done < most and now - start >= sent / rate:
        number = first + sent
        waiting[number & 0xFFFF] = [number, now, now + 1, 1, 0]
        sock.send(query(number))
        sent += 1
    for entry in waiting.values():
        if entry[2] <= now:
            sock.send(query(entry[0]))
            entry[2] = now + 1
            entry[3] += 1
    if not select.select([sock], [], [], 0.005)[0]:
        continue
    try:
        reply = sock.recv(4096)
    except OSError:
        continue
    entry = waiting.get(struct.unpack("!H", reply[:2])[0])
    if entry is None:
        continue
    found = address(reply)
    if found is None:
        # SERVFAIL: asked again soon.
        entry[4] += 1
        entry[2] = min(entry[2], now + 0.2)
        continue
    del waiting[entry[0] & 0xFFFF]
    done += 1
    print(entry[0], found, "%.3f" % (time.monotonic() - entry[1]), entry[3], entry[4], flush=True)
print("# %.3f" % (time.monotonic() - start))
sys.exit(0 if done == count else 1)
