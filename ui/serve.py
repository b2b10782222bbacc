"""The page on a port of this computer, until Ctrl-C."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

from index.errors import FonteError
from ui.guard import LOOPBACK, Guard
from ui.page import App, build_page

PORT = 7860

_HERE = Path(__file__).parent
_SANS = ("-apple-system", "Segoe UI", "Roboto", "Cantarell", "Ubuntu", "Noto Sans", "Liberation Sans", "system-ui")
_MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "Liberation Mono", "monospace")


def serve(
    app: App,
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    open_browser: bool = True,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve the page until Ctrl-C; `ready` is called with its address. Raises FonteError where the port is taken."""
    page = start(app, host=host, port=port)
    try:
        with suppress(KeyboardInterrupt):
            if ready:
                ready(page.local_url)
            if open_browser:
                _open(page.local_url)
            Event().wait()
    finally:
        page.close(verbose=False)


def start(app: App, *, host: str = "127.0.0.1", port: int = PORT) -> Any:
    """Return the launched `gr.Blocks`, served from a thread of its own: `.local_url`, `.close()`. Raises FonteError."""
    if host not in LOOPBACK:
        raise FonteError(f"The page is for this computer alone, not for {host}: use --host 127.0.0.1.")
    if not 0 < port < 65536:
        raise FonteError(f"{port} is not a port: use one from 1024 to 65535, such as --port {PORT}.")
    page = build_page(app)
    page.queue(api_open=False, max_size=32)
    try:
        page.launch(server_name=host, server_port=port, **_settings())
    except OSError as error:
        raise FonteError(f"Port {port} is in use or not allowed: choose another, such as --port {port + 1}.") from error
    return page


def _settings() -> dict[str, Any]:
    """Return everything that Gradio would otherwise take from its environment or switch on by itself."""
    from starlette.middleware import Middleware

    return {
        "app_kwargs": {"middleware": [Middleware(Guard)], "docs_url": None, "redoc_url": None, "openapi_url": None},
        "prevent_thread_lock": True,
        "quiet": True,
        "share": False,
        "inbrowser": False,
        "show_error": False,
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": False,
        "enable_monitoring": False,
        "run_history": False,
        "footer_links": [],
        "root_path": "",
        "allowed_paths": [],
        "max_file_size": 1,
        "state_session_capacity": 100,
        "favicon_path": _HERE / "page.svg",
        "theme": _theme(),
        "css_paths": [_HERE / "page.css"],
    }


def _theme() -> Any:
    """Return Gradio's plainest theme in the system's own fonts; colours that the page has before its style is there."""
    from gradio import themes

    return themes.Base(font=_SANS, font_mono=_MONO).set(
        body_background_fill="#fbfaf7",
        body_background_fill_dark="#171614",
        body_text_color="#23211d",
        body_text_color_dark="#e9e5dd",
    )


def _open(url: str) -> None:
    import webbrowser

    with suppress(webbrowser.Error):
        webbrowser.open(url)
