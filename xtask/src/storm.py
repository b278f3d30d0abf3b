# Sends spoiled packets as fast as it can: storm.py DEVICE MAC SECONDS SEED inside|outside
import random, socket, struct, sys, time

device, mac, seconds, seed, side = sys.argv[1:6]
dice = random.Random(int(seed))
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((device, 0))
head = bytes.fromhex(mac.replace(":", "")) + out.getsockname()[4]


def total(data):
    data += b"\0" * (len(data) % 2)
    sum_ = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while sum_ >> 16:
        sum_ = (sum_ & 0xFFFF) + (sum_ >> 16)
    return ~sum_ & 0xFFFF


def four(source, destination, protocol, payload):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), dice.getrandbits(16),
                         dice.choice([0, 0, 0x4000, 0x2000, 0x2001, 0x00B9]), 64, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    return header[:10] + struct.pack("!H", total(header)) + header[12:] + payload


def six(source, destination, protocol, payload):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, 64,
                       socket.inet_pton(socket.AF_INET6, source),
                       socket.inet_pton(socket.AF_INET6, destination)) + payload


def payload(protocol):
    ports = struct.pack("!HH", dice.getrandbits(16), dice.choice([53, 80, 443, dice.getrandbits(16)]))
    body = dice.randbytes(dice.choice([0, 8, 40, 200, 1200]))
    if protocol == 6:
        return ports + dice.randbytes(8) + bytes([0x50, dice.getrandbits(8)]) + dice.randbytes(6) + body
    if protocol == 17:
        if dice.random() < 0.3:
            body = dice.randbytes(2) + bytes.fromhex("0100000100000000000003736978076578616d706c650000010001")
        return ports + struct.pack("!HH", 8 + len(body), 0) + body
    return bytes([dice.choice([0, 3, 8, 11, 12, 1, 2, 128, 129]), dice.getrandbits(3)]) + dice.randbytes(6) + body


def packet():
    protocol = dice.choice([6, 6, 17, 17, 1, 58, 47, dice.getrandbits(8)])
    if side == "inside":
        if dice.random() < 0.7:
            source = f"10.244.{dice.getrandbits(8)}.{dice.getrandbits(8)}"
            destination = dice.choice(["10.46.0.5", "203.0.113.80", "198.51.100.53", "10.244.0.2", f"10.46.0.{dice.getrandbits(4)}"])
            made = four(source, destination, protocol, payload(protocol))
        else:
            source = f"2002::10:244:0:{dice.getrandbits(12):x}"
            destination = dice.choice(["2001:db8:64::cb00:7150", "2001:db8:46::80", "2001:db8:64::ffff:ffff", "ff02::1"])
            made = six(source, destination, protocol, payload(protocol))
    elif dice.random() < 0.5:
        destination = dice.choice(["10.20.2.101", "10.20.2.102", "10.20.2.2", "10.46.0.5"])
        made = four(dice.choice(["203.0.113.80", "10.20.2.216", "10.244.1.10"]), destination, protocol, payload(protocol))
    else:
        destination = dice.choice(["2002::10:50:20:1", "2002::10:50:20:2", "2002::10:20:2:2", "2001:db8:64::cb00:7150"])
        made = six(dice.choice(["2001:db8:46::80", "2002::10:20:2:216"]), destination, protocol, payload(protocol))
    made = bytearray(made)
    for _ in range(dice.choice([0, 0, 1, 2, 4])):
        made[dice.randrange(len(made))] = dice.getrandbits(8)
    if dice.random() < 0.1:
        del made[dice.randrange(len(made)):]
    kind = 0x0800 if made[:1] and made[0] >> 4 == 4 else 0x86DD
    return head + struct.pack("!H", kind) + bytes(made) + b"\0" * max(0, 46 - len(made))


until, sent = time.monotonic() + float(seconds), 0
while time.monotonic() < until:
    made = [packet() for _ in range(256)]
    # Each again and again: making them is what takes time.
    for _ in range(20):
        for one in made:
            try:
                out.send(one)
                sent += 1
            except OSError:
                pass
print(sent)
