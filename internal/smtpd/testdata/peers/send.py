"""smtplib composes and sends: host port from to bcc subject file"""
import smtplib
import sys
from email.message import EmailMessage

host, port, sender, to, bcc, subject, file = sys.argv[1:]
m = EmailMessage()
m["From"] = sender
m["To"] = to
m["Bcc"] = bcc
m["Subject"] = subject
m.set_content("Perché la qualità è già qui.\n")
m.add_alternative("<p>Perché la <b>qualità</b> è già qui.</p>\n", subtype="html")
with open(file, "rb") as f:
    m.add_attachment(f.read(), maintype="application", subtype="pdf", filename="Società.pdf")
with smtplib.SMTP(host, int(port), timeout=60) as s:
    refused = s.send_message(m)
    if refused:
        sys.exit(repr(refused))
