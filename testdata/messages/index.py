#!/usr/bin/env python3
"""What an independent parser, Python's email package, sees in each message.

    index.py            write expected.json for the messages beside this script
    index.py --check    exit 1 when expected.json is not what would be written
    index.py FILE...    print the same JSON for other files, by their base names

Hashes are SHA-256 of the content with its transfer encoding undone. Text (and
attachments of a text type) is hashed with every line end as LF and without
line ends at its end; messages inside message/* parts also without blank lines
and white space at line ends, because the parser writes them again.
"""
import email
import email.header
import email.policy
import email.utils
import hashlib
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent

# What Accept says, strictly and leniently, where it is not "ok" both times: the
# parser does not judge. "unreadable" names attachments with content that is an
# error; other fields stand where this package's repair and the parser's differ
# on purpose.
BOTH = lambda code: {"strict": code, "lenient": code}
JUDGED = {
    "broken-bare-cr": {"strict": "bare_cr"},
    "broken-bare-lf": {"strict": "bare_lf"},
    "broken-smuggling": {"strict": "bare_lf"},
    "broken-header-injection": {"strict": "bare_lf"},
    "broken-no-blank-line": {"strict": "bad_header"},
    "broken-two-subjects": {"strict": "duplicate_field"},
    # Data after padding: some readers stop there, others go on.
    "broken-base64-two": {"unreadable": ["a.pdf"]},
    "broken-empty": BOTH("no_from"),
    "broken-only-line-ends": BOTH("no_from"),
    "broken-no-from": BOTH("no_from"),
    "broken-empty-from": BOTH("no_from"),
    "broken-from-no-address": BOTH("bad_address"),
    "broken-two-from": BOTH("several_from"),
    "broken-two-from-addresses": BOTH("several_from"),
    "broken-nul-body": BOTH("nul"),
    "broken-nul-header": BOTH("nul"),
    "broken-garbage": BOTH("bad_header"),
    "broken-html-instead": BOTH("bad_header"),
    "broken-header-token": BOTH("long_header"),
    "broken-signed-long-line": BOTH("long_line_signed"),
    # Half an address is no one: the parser makes c@example.com of "<c@example.com".
    "broken-recipient": {"recipients": ["a@example.com"]},
}


def sha(data):
    return hashlib.sha256(data).hexdigest()


def lines(data):
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def octets(value):
    """The octets of a header value as they stand in the message."""
    return str(value).encode("utf-8", "surrogateescape")


def readable(data):
    """UTF-8 where it is valid, else windows-1252, which old programs mean."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def unfold(value):
    return re.sub(r"\r?\n(?=[ \t])", "", value)


def decoded(value):
    """RFC 2047, with characters split between two words put together."""
    out = []
    for chunk, charset in email.header.decode_header(value):
        if isinstance(chunk, str):
            out.append(chunk)
        elif charset is None:
            out.append(chunk.decode("latin-1" if not value.isascii() else "ascii", "replace"))
        else:
            out.append(chunk.decode(charset, "replace"))
    return "".join(out)


def normal(address):
    """The form under which equal addresses are equal: domain as lower-case A-labels."""
    local, _, domain = address.rpartition("@")
    if re.fullmatch(r'"[^"\\ @,:;<>()\[\]]+"', local):
        local = local[1:-1]
    if not domain.startswith("["):
        domain = domain.encode("idna").decode().lower()
    return local + "@" + domain


def addresses(message, *names):
    out = []
    for name in names:
        values = [unfold(readable(octets(v))) for k, v in message._headers if k.lower() == name]
        for _, address in email.utils.getaddresses(values):
            if "@" in address and not address.startswith("@") and not address.endswith("@"):
                address = normal(address)
                if address not in out:
                    out.append(address)
    return out


def subject(message):
    for name, value in message._headers:
        if name.lower() == "subject":
            text = unfold(readable(octets(value)))
            try:
                text = decoded(text)
            except (LookupError, email.errors.HeaderParseError):
                pass  # an unknown character set: as it is written
            return re.sub(r"[\x00-\x1f\x7f]", " ", text).strip()
    return ""


def filename(part):
    name = part.get_filename()
    if name and "=?" in name:
        name = decoded(unfold(name))
    return name or ""


def content(part):
    """Decoded octets, normalised as the module says."""
    if part.get_content_maintype() == "message":
        inner = part.get_payload()
        data = part.get_payload(decode=True) if isinstance(inner, str) else b"\n".join(
            m.as_bytes(policy=email.policy.compat32.clone(max_line_length=0)) for m in inner)
        return b"\n".join(l.rstrip() for l in lines(data).split(b"\n") if l.strip())
    data = part.get_payload(decode=True)
    if part.get_content_maintype() == "text":
        return lines(data).rstrip(b"\n")
    return data


def leaves(part):
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        for child in part.get_payload():
            yield from leaves(child)
    else:
        yield part


def describe(data):
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    message = email.message_from_bytes(data)
    out = {
        "from": addresses(message, "from"),
        "recipients": addresses(message, "to", "cc", "bcc"),
        "subject": subject(message),
        "text_sha256": "",
        "html_sha256": "",
        "attachments": [],
    }
    for part in leaves(message):
        kind = part.get_content_type()
        body = {"text/plain": "text_sha256", "text/html": "html_sha256"}.get(kind)
        if body and not out[body] and part.get_content_disposition() != "attachment":
            out[body] = sha(content(part))
            continue
        out["attachments"].append({"name": filename(part), "type": kind, "sha256": sha(content(part))})
    return out


def index():
    out = {}
    for path in sorted(HERE.glob("*.eml")):
        entry = {"strict": "ok", "lenient": "ok"}
        judged = JUDGED.get(path.stem, {})
        if judged.get("lenient") in (None, "ok"):
            entry.update(describe(path.read_bytes()))
        entry.update(judged)
        out[path.name] = entry
    return json.dumps(out, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main(args):
    expected = HERE / "expected.json"
    if args == ["--check"]:
        if expected.read_text("utf-8") != index():
            sys.exit("expected.json is not what this parser sees: run index.py and look at the difference")
    elif args:
        print(json.dumps({pathlib.Path(a).name: describe(pathlib.Path(a).read_bytes()) for a in args}, ensure_ascii=False))
    else:
        expected.write_text(index(), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
