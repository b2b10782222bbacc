"""Which requests reach the page's server."""

import pytest

from ui.guard import MAX_BODY_BYTES, allowed, content_policy

HOST = "127.0.0.1:7860"


@pytest.mark.parametrize("path", ["/", "/config", "/theme.css", "/assets/index-D_a1.js", "/static/fonts/a.woff2",
                                  "/gradio_api/queue/data", "/gradio_api/heartbeat/abc123"])  # fmt: skip
def test_what_the_page_uses_is_served(path):
    assert allowed("GET", path, {"host": HOST})


CLOSED = """
/gradio_api/file=http://169.254.169.254/ /gradio_api/file=/etc/passwd /gradio_api/File=/etc/passwd /file=/etc/passwd
/gradio_api/proxy=http://x /proxy=http://x /gradio_api/upload /gradio_api/component_server /gradio_api/stream/a
/gradio_api/info /gradio_api/openapi.json /gradio_api/call/answer /gradio_api/run/answer /gradio_api/queue/join/x
/docs /monitoring /login /runs /svelte/x /CONFIG //example.com /static/../x /assets/..%2fx /?/file=x
"""


@pytest.mark.parametrize("path", [*CLOSED.split(), ""])
def test_everything_else_is_closed(path):
    assert not allowed("GET", path, {"host": HOST})
    assert not allowed("POST", path, {"host": HOST, "content-length": "2"})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:7860", "LOCALHOST:1", "[::1]:7860"])
def test_this_computers_own_names_are_served(host):
    assert allowed("GET", "/", {"host": host})


@pytest.mark.parametrize("host", ["", "evil.example", "evil.example:7860", "127.0.0.1.evil.example", "192.168.1.9:7860",
                                  "127.0.0.1@evil.example", "[::1", "0.0.0.0:7860"])  # fmt: skip
def test_a_name_that_someone_elses_dns_points_here_is_refused(host):
    assert not allowed("GET", "/", {"host": host})


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "http://localhost:3000", "https://127.0.0.1:7860", ""]
)
def test_another_pages_request_is_refused(origin):
    headers = {"host": HOST, "content-length": "2", "origin": origin}
    assert not allowed("POST", "/gradio_api/queue/join", headers)


def test_the_pages_own_request_is_served():
    headers = {"host": HOST, "content-length": "2", "origin": f"http://{HOST}"}
    assert allowed("POST", "/gradio_api/queue/join", headers)


@pytest.mark.parametrize("length", [None, str(MAX_BODY_BYTES + 1), "-1", "ten", "1e3"])
def test_a_body_that_is_large_or_of_unknown_length_is_refused(length):
    headers = {"host": HOST} | ({"content-length": length} if length else {})
    assert not allowed("POST", "/gradio_api/queue/join", headers)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused(method):
    assert not allowed(method, "/", {"host": HOST, "content-length": "2"})


def test_inline_scripts_are_allowed_by_their_hash_alone():
    policy = content_policy(b'<script>alert(1)</script><script type="module" src="/a.js"></script>')
    assert "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='" in policy
    assert policy.count("sha256-") == 1
    assert "'unsafe-inline'" not in policy.split(";")[1]
