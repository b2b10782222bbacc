"""Mails, and web pages saved as one file, which are written like mails."""

from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from index.decode import clean, decode
from index.errors import UnreadableFile
from index.formats import Parsed
from index.formats.web import parse_page

_SHOWN = ("From", "To", "Cc", "Date", "Subject")
_MOST_HEADER_CHARACTERS = 1_000


def read_mail(data: bytes) -> Parsed:
    """Return the mail's text below a few of its header lines. Attachments are named and not opened.

    Earlier mails that it quotes stay: they may not be kept anywhere else.
    """
    mail = _message(data)
    told = {name: _header(mail, name) for name in _SHOWN}
    if not told["From"] and not told["Date"] and not told["Subject"]:
        raise UnreadableFile("is not a mail, whatever its name says")
    head = [f"{name}: {value}" for name, value in told.items() if value]
    names = [clean(part.get_filename() or "without a name") for part in mail.iter_attachments()]
    attached = [f"Attachment: {' '.join(name.split())}" for name in names]
    return {
        "text": "\n\n".join(block for block in ("\n".join(head), _body(mail), "\n".join(attached)) if block),
        "title": told["Subject"],
        "author": told["From"],
        "date": _date(mail),
        "language": _header(mail, "Content-Language"),
    }


def read_web_archive(data: bytes) -> Parsed:
    """Return the page in an .mhtml file, which holds it as the first part of a mail."""
    mail = _message(data)
    for part in mail.walk():
        if part.get_content_type() in ("text/html", "application/xhtml+xml"):
            url = str(mail["Snapshot-Content-Location"] or part["Content-Location"] or "")
            parsed = parse_page(_content(part), url=url if url.startswith("http") else "")
            return {"date": _date(mail), **{name: value for name, value in parsed.items() if value}}
    raise UnreadableFile("holds no web page")


def _message(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _header(mail: EmailMessage, name: str) -> str:
    return " ".join(clean(str(mail[name] or "")).split())[:_MOST_HEADER_CHARACTERS]


def _date(mail: EmailMessage) -> str:
    date = getattr(mail["Date"], "datetime", None)
    return date.date().isoformat() if isinstance(date, datetime) else ""


def _body(mail: EmailMessage) -> str:
    """Return the plain part, or else the HTML part through the same extraction as a saved page."""
    plain = mail.get_body(("plain",))
    text = clean(_content(plain)).strip() if plain is not None else ""
    page = None if text else mail.get_body(("html",))
    return text if page is None else parse_page(_content(page))["text"].strip()


def _content(part: MIMEPart) -> str:
    data = part.get_payload(decode=True)
    return decode(data, declared=part.get_content_charset("")) if isinstance(data, bytes) and data.strip() else ""
