from __future__ import annotations

import pytest

from nightshift.errors import BadResponse, Rejected
from nightshift.http.address import Address, query, segment


@pytest.mark.parametrize(
    ("fields", "root"),
    [
        (("https://v.example.com",), "https://v.example.com"),
        (("https://v.example.com/ctx/",), "https://v.example.com/ctx"),
        (("HTTPS://V.Example.com:443/Ctx",), "https://v.example.com/Ctx"),
        (("v.example.com/ctx", 8443), "https://v.example.com:8443/ctx"),
        (("v.example.com:8080", None, "http"), "http://v.example.com:8080"),
        (("http://127.0.0.1", 80), "http://127.0.0.1"),
        (("localhost:9000",), "https://localhost:9000"),
        (("https://v.example.com:8443", 8443), "https://v.example.com:8443"),
        (("[::1]:81", None, "http"), "http://[::1]:81"),
        ((" https://v.example.com/a b ".strip(),), None),
        (("",), None),
        ((None,), None),
        (("ftp://v",), None),
        (("https://",), None),
        (("https://ann:pw123456@v",), None),
        (("https://v?x=1",), None),
        (("https://v:1", 2), None),
        (("https://v:99999",), None),
    ],
)
def test_hosts_as_people_paste_them(fields: tuple[str, ...], root: str | None) -> None:
    if root is not None:
        assert Address.of(*fields).root == root
        return
    with pytest.raises(Rejected, match=r"https://vendor\.example\.com") as caught:
        Address.of(*fields, vendor="Acme")
    assert "pw123456" not in str(caught.value)


HOME = Address.of("https://v.example.com/ctx")


@pytest.mark.parametrize(
    ("link", "local"),
    [
        ("https://v.example.com/ctx/next?page=2&q=a%2Bb", "/next?page=2&q=a%2Bb"),
        ("https://V.EXAMPLE.com:443/ctx/next", "/next"),
        ("http://v.example.com/ctx/next?page=2", "/next?page=2"),
        ("/ctx/next?page=2", "/next?page=2"),
        ("https://v.example.com/ctx", "/"),
        ("https://v.example.com/ctxother/next", None),
        ("/ctx/../admin", None),
        ("https://v.example.com/ctx/../admin?page=2", None),
        ("https://v.example.com/ctx/%2e%2E/admin", None),
        ("https://v.example.com/ctx/..%2fadmin", None),
        ("https://v.example.com/ctx/%252e%252e/admin", None),
        ("https://v.example.com/ctx/..;a=b/admin", None),
        ("https://v.example.com/ctx/..%5cadmin", None),
        ("https://v.example.com/ctx/./next", None),
        ("https://v.example.com/ctx/a..b/...", "/a..b/..."),
        ("https://v.example.com:8443/ctx/next", None),
        ("http://v.example.com:443/ctx/next", None),
        ("https://evil.example.com/ctx/next?token=abc123", None),
        ("https://v.example.com@evil.example.com/ctx", None),
        ("https://v.example.com.evil.example.com/ctx", None),
        ("https://ann@v.example.com/ctx/next", None),
        ("https://evil.example.com\\@v.example.com/ctx", None),
        ("//evil.example.com/ctx", None),
        ("ftp://v.example.com/ctx", None),
        ("next", None),
    ],
)
def test_links(link: str, local: str | None) -> None:
    if local is not None:
        assert HOME.local(link) == local
        return
    with pytest.raises(BadResponse) as caught:
        HOME.local(link, vendor="Acme")
    assert "abc123" not in str(caught.value)


def test_the_foreign_host_is_named() -> None:
    with pytest.raises(BadResponse, match=r"https://evil\.example\.com,"):
        HOME.local("https://evil.example.com/x")


@pytest.mark.parametrize(
    ("text", "encoded"), [("a b", "a%20b"), ("a/b", "a%2Fb"), ("é?#%", "%C3%A9%3F%23%25"), ("a..b~_-", "a..b~_-")]
)
def test_segment(text: str, encoded: str) -> None:
    assert segment(text) == encoded


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_a_segment_that_leads_elsewhere(text: str) -> None:
    with pytest.raises(Rejected):
        segment(text)


def test_query() -> None:
    assert query([("a", "x y"), ("a", None), ("b", False), ("c", [1, 2.5])]) == "a=x%20y&b=false&c=1&c=2.5"
    assert query(None) == ""


@pytest.mark.parametrize("path", ["no-slash", "//evil.example.com/x"])
def test_a_path_is_a_path(path: str) -> None:
    with pytest.raises(Rejected):
        HOME.url(path)


@pytest.mark.parametrize("path", ["/a/../admin", "/..", "/a/%2e%2e/b", "/a/.%2E", "/a/..%2Fb", "/a/.", "/a/..;x/b"])
def test_no_path_climbs(path: str) -> None:
    with pytest.raises(Rejected, match="another path"):
        HOME.url(path)
    with pytest.raises(Rejected, match="host"):
        Address.of(f"https://v.example.com{path}")
