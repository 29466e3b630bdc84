"""The load of postgres-failovers.sh, its three failovers and the count.

failovers.py MESSAGES PER_SECOND SANDBOX_CONTROL_URL PAIR_SCRIPT SMTP_PORT...

Each message is offered once; one without a 250 counts as not acknowledged.
"""
import collections
import json
import smtplib
import subprocess
import sys
import threading
import time
import urllib.request

total, rate, control, script = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4]
ports = [int(p) for p in sys.argv[5:]]
workers = 16
ways = ["graph", "gmail", "smtp"]
lock = threading.Lock()
offered = 0
answers = []  # (time of the answer, number, what was said)


def offer(k):
    subject = f"m-{k}"
    to = f"anna{k % 7}@example.com"
    content = (
        f"X-Postino-Connection: {ways[k % len(ways)]}\r\nFrom: erp@contoso.it\r\nTo: {to}\r\n"
        f"Subject: {subject}\r\nMessage-ID: <{subject}@contoso.it>\r\n\r\n{subject}\r\n"
    )
    try:
        with smtplib.SMTP("127.0.0.1", ports[k // len(ways) % len(ports)], timeout=90) as s:
            s.sendmail("erp@contoso.it", [to], content)
        return "ok"
    except smtplib.SMTPRecipientsRefused as e:
        return str(list(e.recipients.values())[0][0])
    except smtplib.SMTPResponseException as e:
        return f"{e.smtp_code} {e.smtp_error[:60]!r}"
    except (OSError, smtplib.SMTPException) as e:
        return type(e).__name__


def work():
    global offered
    while True:
        with lock:
            if offered >= total:
                return
            offered += 1
            k = offered
        begin = time.time()
        said = offer(k)
        with lock:
            answers.append((time.time(), k, said))
        time.sleep(max(0, workers / rate - (time.time() - begin)))


def pair(verb):
    subprocess.run([script, verb], check=True)


def delivered():
    with urllib.request.urlopen(control + "/deliveries") as r:
        seen = {w: collections.Counter() for w in ways}
        for d in json.load(r):
            seen.setdefault(d["service"], collections.Counter())[d.get("subject") or ""] += 1
        return seen


start = time.time()
threads = [threading.Thread(target=work) for _ in range(workers)]
for t in threads:
    t.start()
for i in range(3):
    while offered < total * (i + 1) // 4:
        time.sleep(0.1)
    pair("kill")
    time.sleep(2)
    pair("promote")
    pair("revive")  # as it was: it still believes that it is the primary
    print(f"failover {i + 1} after {offered} messages", flush=True)
    time.sleep(5)
    pair("rebuild")
for t in threads:
    t.join()
took = time.time() - start
acked = {f"m-{k}" for _, k, said in answers if said == "ok"}
deadline = time.time() + 180
while True:  # what a break left in doubt waits for its proof
    seen = delivered()
    there = set().union(*seen.values())
    if acked <= there or time.time() > deadline:
        break
    time.sleep(2)
lost = sorted(acked - there)
twice = {w: sorted(s for s, n in seen[w].items() if n > 1) for w in seen}
oks = sorted(at for at, _, said in answers if said == "ok")
print(f"{total} offered in {took:.0f} s, {len(acked)} acknowledged, longest pause {max(b - a for a, b in zip(oks, oks[1:])):.1f} s")
print("answers:", dict(collections.Counter(said for _, _, said in answers)))
print("delivered:", {w: len(c) for w, c in seen.items()}, "not acknowledged but delivered:", len(there - acked))
print("lost:", len(lost), lost[:10], "twice:", {w: (len(v), v[:5]) for w, v in twice.items()})
sys.exit(1 if lost or twice["graph"] or twice["gmail"] or len(acked) < total // 2 else 0)
