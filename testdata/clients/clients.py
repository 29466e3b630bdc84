"""Debian's Python clients against the sandbox's proxy: msal, google-auth, googleapiclient, requests and smtplib.

They know the vendors' real addresses, HTTPS_PROXY and the CA, and nothing else of the sandbox.
Prints a line for each check; exits 1 when one fails.
"""
import base64
import json
import os
import socket
import smtplib
import sys
import traceback
import urllib.parse

import google.oauth2.service_account
import google.auth.transport.requests
import msal
import requests

o = json.loads(os.environ["SANDBOX"])
failed = 0


def check(name):
    def run(f):
        global failed
        try:
            f()
            print("ok " + name)
        except Exception:
            failed += 1
            print("FAILED " + name + ": " + traceback.format_exc())
    return run


def app(**kw):
    return msal.ConfidentialClientApplication(o["clientId"], authority="https://login.microsoftonline.com/" + o["tenant"], **kw)


def entra(scope):
    token = app(client_credential=o["clientSecret"]).acquire_token_for_client(scopes=[scope])
    return token["access_token"]


MIME = "From: %s\r\nTo: anna@example.com\r\nSubject: python\r\n\r\nHello\r\n" % o["from"]


@check("msal: secret, then Graph sendMail by requests")
def _():
    res = requests.post("https://graph.microsoft.com/v1.0/users/%s/sendMail" % o["from"], data=base64.b64encode(MIME.encode()),
                        headers={"Authorization": "Bearer " + entra("https://graph.microsoft.com/.default"), "Content-Type": "text/plain"})
    assert res.status_code == 202, res.text


@check("msal: certificate")
def _():
    pem = open(o["certificate"]).read()
    token = app(client_credential={"private_key": pem[pem.index("-----BEGIN PRIVATE KEY"):], "thumbprint": o["thumbprint"]}
                ).acquire_token_for_client(scopes=["https://graph.microsoft.com/.default"])
    assert "access_token" in token, token


@check("msal: a wrong secret")
def _():
    token = app(client_credential="wrong").acquire_token_for_client(scopes=["https://graph.microsoft.com/.default"])
    assert 7000215 in token["error_codes"], token


def google_credentials():
    c = google.oauth2.service_account.Credentials.from_service_account_file(
        o["serviceAccount"], scopes=["https://mail.google.com/"], subject=o["from"])
    c.refresh(google.auth.transport.requests.Request())
    return c


@check("google-auth: a service account, then Gmail send by requests")
def _():
    res = requests.post("https://gmail.googleapis.com/gmail/v1/users/me/messages/send", json={
        "raw": base64.urlsafe_b64encode(MIME.encode()).decode()}, headers={"Authorization": "Bearer " + google_credentials().token})
    assert res.status_code == 200, res.text


@check("googleapiclient: send, get, drafts")
def _():
    import google_auth_httplib2
    import httplib2
    from googleapiclient.discovery import build_from_document
    discovery = json.load(open(o["discovery"]))
    http = google_auth_httplib2.AuthorizedHttp(google_credentials(), http=httplib2.Http(
        ca_certs=os.environ["SSL_CERT_FILE"], proxy_info=httplib2.proxy_info_from_environment("https")))
    users = build_from_document(json.dumps(discovery), http=http).users()
    raw = base64.urlsafe_b64encode(MIME.encode()).decode()
    sent = users.messages().send(userId="me", body={"raw": raw}).execute()
    full = users.messages().get(userId="me", id=sent["id"], format="full").execute()
    assert full["payload"]["mimeType"] == "text/plain", full
    draft = users.drafts().create(userId="me", body={"message": {"raw": raw}}).execute()
    assert users.drafts().send(userId="me", body={"id": draft["id"]}).execute()["id"]


def smtp_through_proxy(host, port):
    """A connection by CONNECT, as smtplib has no proxies of its own."""
    proxy = urllib.parse.urlparse(os.environ["HTTPS_PROXY"])

    class SMTP(smtplib.SMTP):
        def _get_socket(self, host, port, timeout):
            s = socket.create_connection((proxy.hostname, proxy.port), timeout)
            s.sendall(("CONNECT %s:%d HTTP/1.1\r\nHost: %s:%d\r\n\r\n" % (host, port, host, port)).encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += s.recv(1)
            assert head.startswith(b"HTTP/1.1 200"), head
            return s
    return SMTP(host, port, timeout=30)


@check("smtplib: XOAUTH2 with the token inline, at both vendors")
def _():
    import ssl
    for host, token in (("smtp.office365.com", entra("https://outlook.office365.com/.default")), ("smtp.gmail.com", google_credentials().token)):
        with smtp_through_proxy(host, 587) as s:
            s.starttls(context=ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"]))
            s.ehlo()
            s.auth("XOAUTH2", lambda _=None: "user=%s\1auth=Bearer %s\1\1" % (o["from"], token))
            s.sendmail(o["from"], ["anna@example.com"], MIME)


sys.exit(1 if failed else 0)
