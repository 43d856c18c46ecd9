from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.errors import BadResponse
from nightshift.known_secrets import MOST, hide, remember
from nightshift.redaction import WINDOW, redact, redact_quote, redact_words, safe_url

SECRETS = [
    "Authorization: Basic YW5uOnN3b3JkZmlzaA==",
    "'authorization': 'Bearer eyJhbGciOi.J9-abc_def'",
    "Authorization: mySecretOpaque",
    "Authorization: ExagoKey ann:abc+def/ghi=",
    "sent Bearer rna_0123456789abcdef to",
    "sent basic YW5uOnN3b3Jk to",
    "password=hunter22 and more",
    "https://x/y?access_token=mySecretOpaque&limit=5",
    "https://x/y?sid=3f0c9a-11&a=b",
    "code=4/0AY0e-g7 state",
    '{"refresh_token": "r3fr3sh\\"x", "ok": 1}',
    "{'client_secret': 'cl13nt'}",
    "grant_type=refresh_token&refresh_token=r3fr3sh",
    "https://s3/x?X-Amz-Signature=abcdef&X-Amz-Credential=AKIA&X-Amz-Security-Token=tok",
    "https://blob/x?sv=2020&sig=a%2Fb%3D",
    "https://cdn/x?Expires=1&Signature=abc~def__&Key-Pair-Id=APK",
    "https://ann:hunter22@host/x",
    "https://bi/rest/sessions/3f0c9a-11/x",
    "login failed for ann, password: hunter22",
    "Api key: mySecretOpaque is not known",
    "<loginResult><sessionToken>mySecretOpaque</sessionToken></loginResult>",
    "<ns2:password type='x'>hunter22</ns2:password>",
    '<user name="ann" password="hunter22 with blanks"/>',
    r'{"body": "{\"refresh_token\": \"r3fr3sh\", \"x\": 1}"}',
    r'"{\\\"client_secret\\\": \\\"cl13nt\\\"}"',
    "{&quot;password&quot;: &quot;hunter22&quot;}",
    'Authorization: Digest username="ann", realm="x", nonce="mySecretOpaque", response="abcdef0123"',
    'sent Digest username="ann", response="abcdef0123"',
    "authorization: OAuth oauth_token=mySecretOpaque, oauth_signature=abcdef",
]
WORDS = [
    "YW5u",
    "eyJhbG",
    "mySecretOpaque",
    "abc+def",
    "rna_",
    "hunter22",
    "3f0c9a",
    "0AY0e",
    "r3fr3sh",
    "cl13nt",
    "abcdef",
    "AKIA",
    "=tok",
    "a%2Fb",
    "abc~def",
    "APK",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_go(text: str) -> None:
    clean = redact(text)
    assert "***" in clean
    assert not [word for word in WORDS if word in clean]
    assert redact(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "limitRecords must be between 1 and 2500",
        "the basic plan has no bearer of news",
        "Basic authentication failed",
        "tokensConsumed: 60.0 for user ann",
        "errorCode 42, code: 7",
        "policy: the night is fixed",
        "the digest of the page is wrong",
        "invalid code: use another one",
        "https://host/data/api/v1/report/entitlement?pageNumber=2&limitRecords=500",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


LINK = "https://ann:pa55@download.autodesk.com/u_17.csv?e=1764400000&h=5eec4e75ignature&_sig[]=a~b"
ESCAPED = {
    "as it is": LINK,
    "JSON": json.dumps(LINK),
    "JSON with slashes": json.dumps(LINK).replace("/", "\\/").replace("&", "\\u0026"),
    "JSON in JSON": json.dumps(json.dumps({"u": LINK}).replace("/", "\\/").replace("&", "\\u0026")),
    "JSON, all in numbers": json.dumps(LINK)
    .replace("/", "\\u002f")
    .replace("?", "\\u003F")
    .replace(":", "\\u003a")
    .replace("@", "\\u0040"),
    "HTML": html.escape(f'<a href="{LINK}">'),
    "HTML in numbers": LINK.replace("/", "&#47;").replace("?", "&#x3F;").replace("&h", "&amp;h").replace("@", "&#64;"),
    "in a URL": f"/login?to={quote(LINK, safe='')}",
    "twice in a URL": f"/login?to={quote(quote(LINK, safe=''), safe='')}",
    "without a scheme": LINK.partition(":")[2].replace("ann:pa55@", ""),
    "Python": repr({"downloadUrl": LINK, "n": 1}),
    "bytes": repr(json.dumps({"downloadUrl": LINK}).encode()),
    "cut": '{"downloadUrl": "' + LINK[:-9],
    "XML": f"<Url>{html.escape(LINK)}</Url><More/>",
    "two": f"{LINK},{LINK}",
    "with blanks": f"see\n{LINK}\tand more",
}


@pytest.mark.parametrize("text", ESCAPED.values(), ids=ESCAPED)
@pytest.mark.parametrize("places", ["detail", "problem"])
def test_of_a_link_that_a_vendor_sends_no_query_and_no_user_is_shown_however_it_is_written(
    text: str, places: str
) -> None:
    for said in (text, f"before {text} after", text * 3):
        error = BadResponse(**{"problem": "x", places: said})
        shown = f"{error} {error.serialize()} {error!r}"
        assert not [word for word in ("5eec4e75", "1764400000", "a~b", "pa55") if word in shown], shown
        assert "u_17.csv" in shown
        assert redact_words(error.detail, 300) == error.detail


def test_what_is_around_a_link_stays() -> None:
    said = f'{{"downloadUrl": "{LINK}", "state": "Download"}} or <b>{LINK}</b> &quot;{LINK}&quot;: why?'
    hidden = "https://***@download.autodesk.com/u_17.csv?***"
    assert redact_quote(said) == (
        f'{{"downloadUrl": "{hidden}", "state": "Download"}} or <b>{hidden}</b> &quot;{hidden}&quot;: why?'
    )


@pytest.mark.parametrize(
    "text",
    [
        "see https://aps.autodesk.com/en/docs/tokenflex/v1/reference#export (is it on?), or ask",
        "https://docs.example/x?",
        "is it /data?page=2&from=1, or not?",
        'the path "//" leads nowhere. Why? Nobody knows.',
    ],
)
def test_words_without_a_query_stay(text: str) -> None:
    assert redact_quote(text) == text


def test_our_own_links_keep_what_is_harmless() -> None:
    page = "https://fd.example.com/flexdeploy/faces/request?id=12001"
    assert page in BadResponse("x", advice=f"Read what it says at {safe_url(page)}.").advice


def test_known_secrets_go_wherever_they_are() -> None:
    remember("swordfish")
    remember("key")
    assert redact("your key swordfish is bad") == "your key *** is bad"


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://h:8443/a/b?page=2&from=2026-11-21#x", "https://h:8443/a/b?page=2&from=2026-11-21"),
        ("https://ann:pw@h/a?token=abc&page=2", "https://h/a?token=***&page=2"),
        ("https://h/a?X-Amz-Date=20261121&X-Amz-Signature=ff", "https://h/a?X-Amz-Date=***&X-Amz-Signature=***"),
        ("https://h/a?cursor=eyJhIjoxMjM0NTY3ODkwfQabcdef", "https://h/a?cursor=***"),
        ("/rest/sessions/abc/x?sid=1", "/rest/sessions/***/x?sid=***"),
        ("https://h:bad/", "(not a URL)"),
    ],
)
def test_safe_url(url: str, safe: str) -> None:
    assert safe_url(url) == safe


SECRET = 'rT/9+x"Qz<7&y\\p=Z3 ä-k1_vN~w8.bC4!dE5#fG6%hJ2'
HARMLESS = "the answer was not understood by the gateway, look at its log; "


def _spelled(secret: str) -> dict[str, str]:
    pair = f"ann:{secret}".encode()
    return {
        "raw": secret,
        "percent": quote(secret, safe=""),
        "percent, lower case": quote(secret, safe="").lower()
        if secret.islower()
        else _lower_hex(quote(secret, safe="")),
        "form": quote_plus(secret),
        "JSON": json.dumps(secret)[1:-1],
        "JSON, as it is": json.dumps(secret, ensure_ascii=False)[1:-1],
        "JSON in JSON": json.dumps(json.dumps(secret))[3:-3],
        "HTML": html.escape(secret),
        "base64": base64.b64encode(secret.encode()).decode(),
        "base64 of a pair": base64.b64encode(pair).decode(),
        "base64 for URLs": base64.urlsafe_b64encode(b"xy" + secret.encode() + b"z").decode(),
    }


def _lower_hex(text: str) -> str:
    return re.sub("%..", lambda found: found[0].lower(), text)


def _survivors(text: str, spelled: str) -> list[str]:
    return [spelled[at : at + 8] for at in range(len(spelled) - 7) if spelled[at : at + 8] in text]


@pytest.mark.parametrize("spelling", sorted(_spelled(SECRET)))
def test_no_piece_of_a_known_secret_survives_any_cut(spelling: str) -> None:
    """The secret at every offset of what a vendor says, around the end of what a message keeps; and cut by the
    vendor.
    """
    remember(SECRET)
    spelled = _spelled(SECRET)[spelling]
    # base64 depends on its neighbours at both ends: a few characters there belong to no secret alone.
    core = spelled[2:-4] if spelling.startswith("base64") else spelled
    core = core[6:] if spelling == "base64 of a pair" else core
    filler = HARMLESS * 8
    for offset in range(340):
        head = filler[:offset]
        for said in (
            head + " " * (offset % 3) + spelled + " tail",
            head + spelled[: len(spelled) * 2 // 3],
            head + spelled[7:],
        ):
            error = BadResponse(
                said[:200] if offset < 150 else "refused", detail=said, path=f"/x/{said[-60:]}", advice=said[:40]
            )
            shown = f"{error.problem} {error.path} {error.detail}"
            assert not _survivors(shown, core), (offset, shown)


def test_a_secret_that_the_window_cuts_does_not_show() -> None:
    remember(SECRET)
    for before in (WINDOW - len(SECRET) // 2, WINDOW - 10, WINDOW - len(SECRET) - 1):
        for blank in (" ", "\n"):
            shown = BadResponse("x", detail=blank * before + SECRET + " end").detail
            assert not _survivors(shown, SECRET)


@settings(max_examples=200)
@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=0x24F), min_size=10, max_size=60),
    head=st.text(max_size=400),
    tail=st.text(max_size=40),
    spelling=st.sampled_from(["raw", "percent", "form", "JSON", "JSON, as it is", "HTML", "base64"]),
)
def test_any_secret_in_any_spelling(secret: str, head: str, tail: str, spelling: str) -> None:
    remember(secret)
    spelled = _spelled(secret)[spelling]
    core = spelled[:-4] if spelling == "base64" else spelled
    shown = BadResponse("x", detail=head + spelled + tail).detail
    clean = BadResponse("x", detail=head + tail).detail
    assert not [piece for piece in _survivors(shown, core) if piece not in clean and piece not in f"{head}{tail}"]


def test_only_so_many_secrets_are_remembered() -> None:
    for number in range(MOST + 10):
        remember(f"secret-number-{number}")
    assert hide("secret-number-0 secret-number-265") == "secret-number-0 ***"


def test_short_texts_are_no_secrets() -> None:
    assert not remember("none")
    assert redact("none of them") == "none of them"
