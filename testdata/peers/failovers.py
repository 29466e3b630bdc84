"""The load of postgres-failovers.sh, its three failovers and the count.

failovers.py MESSAGES PER_SECOND SANDBOX_CONTROL_URL PAIR_SCRIPT SMTP_PORT...

Each message is offered once; one without a 250 counts as not acknowledged. With
FAULTS=1 in the environment the providers fail too, one call in 33: Graph takes a
message and breaks off, Graph answers 503 and has not taken it, SMTP answers 451.
Each of these waits its time (docs/high-availability.md), so the count waits longer.
"""
import collections
import datetime
import json
import os
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
    """Counts by service and subject, and when each subject came first."""
    with urllib.request.urlopen(control + "/deliveries") as r:
        seen, first = {w: collections.Counter() for w in ways}, {}
        for d in json.load(r):
            subject = d.get("subject") or ""
            seen.setdefault(d["service"], collections.Counter())[subject] += 1
            first.setdefault(subject, datetime.datetime.fromisoformat(d["at"].replace("Z", "+00:00")).timestamp())
        return seen, first


def fault(**f):
    body = json.dumps({"probability": 0.03, **f}).encode()
    urllib.request.urlopen(urllib.request.Request(control + "/faults", body, method="POST")).close()


faults = os.environ.get("FAULTS") == "1"
if faults:
    fault(service="graph", op="sendMail", after=True, reset=True)
    fault(service="graph", op="sendMail", status=503)
    fault(service="smtp", op="DATA", reply="451 4.3.0 later")

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
deadline = time.time() + (900 if faults else 180)
while True:  # what a break left in doubt waits for its proof
    seen, first = delivered()
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
late = sorted((first[f"m-{k}"] - at, k) for at, k, said in answers if said == "ok" and f"m-{k}" in first)
over = [sum(1 for s, _ in late if s > limit) for limit in (1, 15, 60, 130)]
print(f"from the 250 to the provider: median {late[len(late) // 2][0]:.2f} s, over 1, 15, 60, 130 s: {over}")
print("slowest:", ", ".join(f"m-{k} ({ways[k % len(ways)]}) {s:.1f} s" for s, k in late[-8:]))
print("lost:", len(lost), lost[:10], "twice:", {w: (len(v), v[:5]) for w, v in twice.items()})
sys.exit(1 if lost or twice["graph"] or twice["gmail"] or len(acked) < total // 2 else 0)
