#!/usr/bin/env python3
"""What Python's email package sees in many messages, for the differential test.

Standard input: each message as its length in octets (decimal, a line of its
own) and then so many octets. Standard output: one JSON object a message.

Line ends are LF in all hashes, and line ends at the end of a text do not
count; "exact" is the hash of the very octets, for parts in base64.
"""
import email
import hashlib
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "messages"))
sys.dont_write_bytecode = True
import index  # noqa: E402


def addresses(message, name):
    """As index.addresses, one address after the other: what is none does not hide the rest."""
    out = []
    for k, v in message._headers:
        if k.lower() != name:
            continue
        for _, address in email.utils.getaddresses([index.unfold(index.readable(index.octets(v)))]):
            if "@" not in address or address.startswith("@") or address.endswith("@"):
                continue
            if re.search(r"\s", re.sub(r'"[^"]*"', "", address)):
                continue  # words side by side: no address in any grammar, whatever the parser says
            try:
                address = index.normal(address)
            except UnicodeError:
                pass  # a domain that is none
            if address not in out:
                out.append(address)
    return out


def text(part, data):
    """The characters of a text, by its charset where Python knows it."""
    try:
        return data.decode(part.get_content_charset("us-ascii"))
    except (LookupError, UnicodeDecodeError):
        return data.decode("latin-1")


def filename(part):
    """The name of a part, of octets that are in no charset too."""
    copy = email.message.Message()
    for k, v in part._headers:
        if k.lower() in ("content-type", "content-disposition"):
            copy[k] = index.readable(index.octets(v))
    return index.filename(copy)


def inside(part):
    """An attached message is what is seen in it: its bytes may be encoded again on the way."""
    inner = part.get_payload()
    if part.get_content_type() != "message/rfc822" or isinstance(inner, str):
        return None
    return json.dumps([describe(m) for m in inner]).encode()


def describe(message):
    out = {name.replace("-", "_"): addresses(message, name) for name in ("from", "sender", "reply-to", "to", "cc", "bcc")}
    out["resent"] = [a for name in ("resent-to", "resent-cc", "resent-bcc") for a in addresses(message, name)]
    out["subject"] = index.subject(message)
    out["texts"], out["files"] = [], []
    for part in index.leaves(message):
        data = index.content(part)
        kind = part.get_content_type()
        if part.get_content_maintype() == "text" and part.get_content_disposition() != "attachment" and not filename(part):
            out["texts"].append({"type": kind, "text": text(part, data)})
            continue
        data = inside(part) or data
        even = index.lines(data).rstrip(b"\n")
        exact = ""
        if part.get_content_maintype() != "message" and not isinstance(part.get_payload(), list):
            exact = index.sha(part.get_payload(decode=True))
        out["files"].append({"name": filename(part), "type": kind, "sha256": index.sha(even), "size": len(even), "exact": exact,
                             "base64": str(part.get("content-transfer-encoding", "")).strip().lower() == "base64"})
    return out


def main():
    stdin = sys.stdin.buffer
    for line in iter(stdin.readline, b""):
        data = stdin.read(int(line))
        try:
            seen = describe(email.message_from_bytes(data.removeprefix(b"\xef\xbb\xbf")))
        except Exception as e:  # the parser fails on some input: the test must know on which
            seen = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(seen))


if __name__ == "__main__":
    main()
