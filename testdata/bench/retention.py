#!/usr/bin/env python3
"""How long acceptance takes while retention removes records, and until the vacuum behind it is over.

    testdata/peers/postgres-records.sh URL 10000000
    testdata/bench/retention.py POSTINO URL DATA [--records 360d] [--rate 30] [--before 45] [--after 240] [--disk FOLDER]

Starts the server POSTINO on the database URL with the data folder DATA (its key is the
store's), and a server that takes all mail. Four clients hand over so many messages a second
by SMTP and measure how long each takes from the end of its data to the answer. Retention
begins a minute after the start. Prints a line for each part: before, while records are
removed, and after: p50, p99, the slowest, and how many took over 100 ms.

With --disk a plain program's writes are measured beside it: 8 kB and fdatasync, as often, to
a file in that folder (on the database's disk). How many slow acceptances fell together with a
slow write tells a stall of the disk from one of the database or of postino.

Beside other load the figures say nothing: `chrt -r 1` in front, and for the processes of the
database server too, keeps processors free for them.
"""
import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

p = argparse.ArgumentParser()
p.add_argument("postino")
p.add_argument("url")
p.add_argument("data")
p.add_argument("--records", default="360d")
p.add_argument("--rate", type=float, default=30)
p.add_argument("--before", type=float, default=45)
p.add_argument("--after", type=float, default=240)
p.add_argument("--disk")
o = p.parse_args()
CLIENTS = 4


def listen():
    s = socket.create_server(("127.0.0.1", 0))
    return s, s.getsockname()[1]


def sink(server):
    """Takes all mail."""
    def session(conn):
        f = conn.makefile("rwb", buffering=0)
        f.write(b"220 sink\r\n")
        for line in f:
            verb = line[:4].upper()
            if verb == b"DATA":
                f.write(b"354 go on\r\n")
                for text in f:
                    if text == b".\r\n":
                        break
            f.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                return
    while True:
        conn, _ = server.accept()
        threading.Thread(target=session, args=(conn,), daemon=True).start()


def client(port, number, stop, out):
    s = socket.create_connection(("127.0.0.1", port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the last line waits 40 ms for an acknowledgement
    f = s.makefile("rwb", buffering=0)
    f.readline()

    def say(line):
        f.write(line.encode() + b"\r\n")
        return answer()

    def answer():
        while True:
            line = f.readline()
            if not line or line[3:4] != b"-":
                return line
    say("EHLO bench")
    start, n = time.monotonic(), 0
    while not stop.is_set():
        due = start + (n + number / CLIENTS) * CLIENTS / o.rate
        time.sleep(max(0, due - time.monotonic()))
        n += 1
        say("MAIL FROM:<erp@bench.example>")
        say("RCPT TO:<anna@example.com>")
        say("DATA")
        f.write(f"From: erp@bench.example\r\nTo: anna@example.com\r\nSubject: Fattura {number}.{n}\r\n\r\n".encode() + b"ciao\r\n" * 150)
        began = time.monotonic()
        f.write(b".\r\n")
        if not answer().startswith(b"250"):
            sys.exit("a message was not accepted")
        out.append((time.time(), time.monotonic() - began))


def disk(folder, stop, out):
    """Writes as the log of a database is written, into a file whose blocks are there."""
    f = os.open(os.path.join(folder, "retention-probe"), os.O_RDWR | os.O_CREAT, 0o600)
    os.write(f, b"x" * (16 << 20))
    os.fsync(f)
    start, n = time.monotonic(), 0
    while not stop.is_set():
        n += 1
        time.sleep(max(0, start + n / o.rate - time.monotonic()))
        began = time.monotonic()
        os.pwrite(f, os.urandom(8192), n % 2048 * 8192)
        os.fdatasync(f)
        out.append((time.time(), time.monotonic() - began))
    os.close(f)
    os.unlink(os.path.join(folder, "retention-probe"))


server, port = listen()
threading.Thread(target=sink, args=(server,), daemon=True).start()
probe, smtp = listen()
probe.close()
folder = tempfile.mkdtemp()
conn = os.path.join(folder, "c.json")
with open(conn, "w") as f:
    json.dump({"name": "bench", "provider": "smtp", "from": "erp@bench.example",
               "smtp": {"host": "127.0.0.1", "port": port, "encryption": "none"}}, f)
subprocess.run([o.postino, "connection", "add", "--file", conn, "--data", o.data, "--database", o.url], stdout=subprocess.DEVNULL)
config = os.path.join(folder, "postino.toml")
with open(config, "w") as f:
    f.write(f'[[smtp]]\naddress = "127.0.0.1:{smtp}"\n[http]\naddress = "127.0.0.1:0"\n[retention]\nbodies = "30d"\nrecords = "{o.records}"\n')
serve = subprocess.Popen([o.postino, "serve", "--config", config, "--data", o.data, "--database", o.url], stderr=subprocess.PIPE, text=True)
log, took, times = [], threading.Event(), {}


def follow():
    for line in serve.stderr:
        log.append(line)
        if "removed what retention no longer keeps" in line and re.search(r'done"?[=:] ?true', line):
            times["end"] = time.time()
            print(line.strip(), flush=True)
            took.set()


threading.Thread(target=follow, daemon=True).start()
began = time.time()
for _ in range(300):
    try:
        socket.create_connection(("127.0.0.1", smtp)).close()
        break
    except OSError:
        time.sleep(0.1)
up = time.time()
stop, out = threading.Event(), []
clients = [threading.Thread(target=client, args=(smtp, i, stop, out)) for i in range(CLIENTS)]
writes = []
if o.disk:
    clients.append(threading.Thread(target=disk, args=(o.disk, stop, writes)))
for c in clients:
    c.start()
if not took.wait(60 + 600):
    print("".join(log[-20:]))
    sys.exit("retention did not end")
took_s = re.search(r'took"?[=:]"?([0-9.ms]+)', "".join(log))
time.sleep(o.after)
stop.set()
for c in clients:
    c.join()
serve.terminate()
serve.wait()


def seconds(text):
    m = re.fullmatch(r"(?:(\d+)m)?([0-9.]+)(m?)s", text)
    return (int(m[1] or 0) * 60 + float(m[2])) / (1000 if m[3] else 1)


lines = [x for x in log if "removed what retention" in x]
start = times["end"] - seconds(re.search(r'took"?[=:]"?([0-9.ms]+s)', lines[-1])[1])
parts = {"before": (up + 5, start), "while records go": (start, times["end"]), "after": (times["end"], time.time())}


def figures(name, what, all_, a, b):
    list_ = sorted(x for t, x in all_ if a <= t < b)
    if list_:
        at = lambda q: 1000 * list_[min(len(list_) - 1, int(q * len(list_)))]
        worst = {int(t - a) for t, x in all_ if a <= t < b and x > 0.1}
        print(f"{name:18} {b - a:5.0f} s {len(list_):6} {what:8}  p50 {at(.5):4.0f}  p99 {at(.99):4.0f}  slowest {1000 * list_[-1]:5.0f} ms  "
              f"over 100 ms: {sum(x > 0.1 for x in list_)} in {len(worst)} of the seconds")


for name, (a, b) in parts.items():
    figures(name, "messages", out, a, b)
    figures(name, "writes", writes, a, b)
    slow = [(t - x, t) for t, x in out if a <= t < b and x > 0.1]
    both = sum(any(t - x < end and begin < t for t, x in writes if x > 0.05) for begin, end in slow)
    if writes and slow:
        print(f"{name:18} {both} of {len(slow)} slow messages waited while a plain write took over 50 ms")
