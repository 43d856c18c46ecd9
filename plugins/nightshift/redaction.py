"""What must never be read in a log line or a message: credentials, session ids, signed links."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

HIDDEN = "***"

_HIDING_NAME = (
    r"(?:[\w-]{0,40}(?:password|passwd|passphrase|secret|token|api[_-]?key|rest[_-]?key|private[_-]?key|signature|credential)[\w-]{0,40}"
    r"|x-amz-[\w-]+|x-goog-[\w-]+|awsaccesskeyid|key-pair-id|policy|sig|sid|session[_-]?id|jsessionid|code|code_verifier|assertion|pwd|(?:set-)?cookie)"
)
_AUTHORIZATION = re.compile(
    r"""(?ix) ( \b (?:proxy-)? authorization ["']? \s* [:=] \s* ["']? ) (?: (?:basic|bearer|digest|negotiate|[a-z]+key) \s+ )? [^\s"',;}]+ """
)
_SCHEME = re.compile(
    r"(?i)\b(basic|bearer|exagokey)\s+(?=[\w.~+/=:-]{6,})(?:[\w.~+/:-]*[\d+/._~:-][\w.~+/:-]*=*|[\w.~+/:-]{16,}=*)"
)
_QUOTED = re.compile(rf"""(?i)(["']{_HIDING_NAME}["']\s*:\s*)(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,}}\]]+)""")
_ASSIGNED = re.compile(rf"(?i)(?<![\w-])({_HIDING_NAME})=(?!=)\s*[^\s&;,\"'<>)}}\]]+")
_USER_INFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}://)[^/?#\s@]+@")
_SESSION_PATH = re.compile(r"(?i)(/sessions?/)[^/?#\s\"']+")

_HARMLESS_NAME = re.compile(rf"(?i)(?!{_HIDING_NAME}$)[\w.\[\]-]{{1,64}}\Z")
_HARMLESS_VALUE = re.compile(r"(?i)(?:[\w.:+-]|%2[0BCD]|%3A){0,40}\Z")
_OPAQUE = re.compile(r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])[\w+/=-]{20,}\Z")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without credentials, session ids and signatures of links.

    :param text: any text, such as a vendor's error body or a URL
    :param secrets: values that are known to be secret; they are removed wherever they are, if they have 4 characters
        or more
    """
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, HIDDEN)
    if not text:
        return text
    text = _AUTHORIZATION.sub(rf"\1{HIDDEN}", text)
    text = _SCHEME.sub(rf"\1 {HIDDEN}", text)
    text = _QUOTED.sub(rf"\1{HIDDEN}", text)
    text = _ASSIGNED.sub(rf"\1={HIDDEN}", text)
    text = _USER_INFO.sub(rf"\1{HIDDEN}@", text)
    return _SESSION_PATH.sub(rf"\1{HIDDEN}", text)


def safe_url(url: str) -> str:
    """Return a URL for people: scheme, host, port and path, the names of the parameters, and of their values only
    short and harmless ones.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "(not a URL)"
    if ":" in host:
        host = f"[{host}]"
    root = f"{parts.scheme}://{host}{f':{port}' if port else ''}" if host else ""
    query = "&".join(_safe_pair(pair) for pair in parts.query.split("&")) if parts.query else ""
    return redact(f"{root}{parts.path}") + (f"?{query}" if query else "")


def _safe_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return name if _HARMLESS_NAME.match(name) and not _OPAQUE.match(name) else HIDDEN
    if _HARMLESS_NAME.match(name) and _HARMLESS_VALUE.match(value) and not _OPAQUE.match(value):
        return pair
    return f"{name if len(name) <= 64 else HIDDEN}={HIDDEN}"
