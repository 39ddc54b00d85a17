"""A mail server (aiosmtpd) that writes each mail into a folder, and fails as it is told to by the address.

    python tests/peers/mail_server.py FOLDER starttls|tls|open CERTIFICATE KEY USER PASSWORD

It says its port on the first line. Whom a mail is for decides what becomes of it: later@ is put off, nobody@ is unknown,
gone@ loses the connection before the text, cut@ after it, full@ is refused and busy@ put off after it, hung@ is never
answered. Everything else is written to FOLDER, one JSON a mail.
"""

import asyncio
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

FOLDER, SECURITY, CERTIFICATE, KEY, USER, PASSWORD = sys.argv[1:]


class Handler:
    def __init__(self):
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        match address.split("@")[0]:
            case "later":
                return "450 4.2.1 try later"
            case "nobody":
                return f"550 5.1.1 <{address}>: no such mailbox"
            case "gone":
                server.transport.abort()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode("ascii"),
            "tls": session.ssl is not None or SECURITY == "tls",
            "user": session.auth_data and session.auth_data.login.decode(),
        }
        partial = pathlib.Path(FOLDER, f"{self.count}.partial")
        partial.write_text(json.dumps(mail))
        partial.rename(pathlib.Path(FOLDER, f"{self.count}.json"))
        match envelope.rcpt_tos[0].split("@")[0]:
            case "cut":
                server.transport.abort()
            case "full":
                return "552 5.2.2 the mailbox is full"
            case "busy":
                return "451 4.3.0 too busy"
            case "hung":
                await asyncio.Event().wait()
        return f"250 2.0.0 queued as M{self.count}"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False, auth_data=data)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    handler = Handler()

    def connection():
        return SMTP(
            handler,
            hostname="localhost",
            authenticator=authenticate,
            auth_required=SECURITY != "open",
            # A connection that is private from the first byte needs no STARTTLS for that.
            auth_require_tls=SECURITY == "starttls",
            tls_context=context if SECURITY == "starttls" else None,
            require_starttls=SECURITY == "starttls",
        )

    implicit = context if SECURITY == "tls" else None
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0, ssl=implicit)
    print(server.sockets[0].getsockname()[1], flush=True)
    # It ends with who started it.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
