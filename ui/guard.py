"""What may reach the page's server, and what a browser may do with the page: one ASGI middleware.

Gradio serves much that fonte does not use (uploads, file downloads, fetches of public addresses for
`/gradio_api/file=URL`, component servers). Every such route is closed here by naming the few that the page needs.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/(assets|static)/[\w./-]+"
    r"|/gradio_api/(startup-events|queue/join|queue/data|run/predict|heartbeat/\w+)/?"
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_BODY_BYTES = 1_000_000

_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Lets through what the page needs, from this computer's own browser, and adds the security headers."""

    def __init__(self, app: Asgi) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 403 where it is refused."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] != "http" or not allowed(scope["method"], scope["path"], _headers(scope)):
            await _refuse(send)
        else:
            await self.app(scope, receive, _Page(send))


def allowed(method: str, path: str, headers: MutableMapping[str, str]) -> bool:
    """Return whether a request may pass.

    The Host must be this computer (no name that someone else's DNS points here), a browser's Origin must be the page's
    own, the path one that the page uses, and the body small and of known length.
    """
    host = headers.get("host", "")
    origin = headers.get("origin")
    return (
        _hostname(f"//{host}") in LOOPBACK
        and (origin is None or origin == f"http://{host}")
        and ".." not in path
        and OPEN.fullmatch(path) is not None
        and (method in ("GET", "HEAD") or (method == "POST" and _body_bytes(headers) <= MAX_BODY_BYTES))
    )


def content_policy(html: bytes) -> str:
    """Return the Content-Security-Policy of a page: its own inline scripts by hash, and nothing from elsewhere.

    Gradio's HTML component compiles its template with `Function`, hence 'unsafe-eval'; inline event handlers and
    `javascript:` links, which are what injected text would need, stay forbidden.
    """
    hashes = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE_SCRIPT.findall(html))
    scripts = " ".join(f"'sha256-{value}'" for value in hashes)
    return (
        f"default-src 'none'; script-src 'self' 'unsafe-eval' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
        "base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
    )


class _Page:
    """Sends a response on, with the security headers; an HTML one is held until it is whole, to hash its scripts."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.start: Message | None = None
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in _HEADERS.items())]
            if dict(message["headers"]).get(b"content-type", b"").startswith(b"text/html"):
                self.start = message
                return
        if self.start is None:
            await self.send(message)
            return
        self.body += message.get("body", b"")
        if not message.get("more_body", False):
            policy = content_policy(self.body).encode()
            self.start["headers"] = [*self.start["headers"], (b"content-security-policy", policy)]
            await self.send(self.start)
            await self.send({"type": "http.response.body", "body": self.body})


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"text/plain"), *((k.encode(), v.encode()) for k, v in _HEADERS.items())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": b"Not served here."})


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _body_bytes(headers: MutableMapping[str, str]) -> float:
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else float("inf")
