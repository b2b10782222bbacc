"""Mails, and web pages saved as one file, which are written like mails."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from index.decode import clean, decode
from index.errors import UnreadableFile
from index.formats import Parsed
from index.formats.web import parse_mail, parse_page

_SHOWN = ("From", "To", "Cc", "Date", "Subject")
_MOST_HEADER_CHARACTERS = 1_000
_MOST_STUB_CHARACTERS = 400
_HEAD = re.compile(rb".*?\r?\n(?=\r?\n)", re.DOTALL)


def read_mail(data: bytes) -> Parsed:
    """Return the mail's text below a few of its header lines. Attachments are named and not opened, but for mails.

    Earlier mails that it quotes stay: they may not be kept anywhere else.
    """
    mail = _message(data)
    subject, sender = _header(mail, "Subject"), _header(mail, "From")
    if not subject and not sender and not _header(mail, "Date"):
        raise UnreadableFile("is not a mail, whatever its name says")
    return {
        "text": _text_of(mail),
        "title": subject,
        "author": sender,
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
    head = _HEAD.match(data)
    if head and not head[0].isascii():  # letters as they are, which the library knows in UTF-8 only
        with suppress(UnreadableFile):
            data = decode(head[0]).encode() + data[head.end() :]
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _header(mail: MIMEPart, name: str) -> str:
    return " ".join(clean(str(mail[name] or "")).split())[:_MOST_HEADER_CHARACTERS]


def _date(mail: EmailMessage) -> str:
    date = getattr(mail["Date"], "datetime", None)
    return date.date().isoformat() if isinstance(date, datetime) else ""


def _text_of(mail: MIMEPart) -> str:
    told = ((name, _header(mail, name)) for name in _SHOWN)
    head = "\n".join(f"{name}: {value}" for name, value in told if value)
    parts = list(_parts(mail))
    texts = [text for kind, text in parts if kind == "text"]
    names = [text for kind, text in parts if kind == "name"]
    return "\n\n".join(block for block in (head, *texts, "\n".join(names)) if block)


def _parts(part: MIMEPart) -> Iterator[tuple[str, str]]:
    """Yield ("text", what a reader of the mail sees) in its order, and ("name", a line) for each attachment."""
    kind = part.get_content_type()
    if kind == "message/rfc822":
        yield from (("text", _text_of(mail)) for mail in part.iter_parts() if isinstance(mail, MIMEPart))
    elif kind == "multipart/alternative":
        yield "text", _body(part)
        yield from (("name", _named(inner)) for inner in part.walk() if inner.is_attachment())
    elif part.get_content_maintype() == "multipart":
        for inner in part.iter_parts():
            yield from _parts(inner)
    elif kind in ("text/plain", "text/html") and not part.is_attachment():
        yield "text", _body(part)
    elif part.is_attachment() or not part["Content-ID"]:  # else a picture of the page
        yield "name", _named(part)


def _named(part: MIMEPart) -> str:
    return f"Attachment: {' '.join(clean(part.get_filename() or 'without a name').split())}"


def _body(part: MIMEPart) -> str:
    """Return the plain text, or else all that the HTML shows.

    Of a newsletter the plain text is often no more than a line that asks for a program that shows HTML.
    """
    plain, html = part.get_body(("plain",)), part.get_body(("html",))
    text = clean(_content(plain)).strip() if plain is not None else ""
    if html is None or len(text) >= _MOST_STUB_CHARACTERS:
        return text
    page = parse_mail(_content(html)).strip()
    return page if len(page) > 2 * len(text) else text


def _content(part: MIMEPart) -> str:
    data = part.get_payload(decode=True)
    return decode(data, declared=part.get_content_charset("")) if isinstance(data, bytes) and data.strip() else ""
