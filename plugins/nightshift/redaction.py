"""What must never be read in a log line or a message: credentials, session ids, signed links."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from nightshift.known_secrets import HIDDEN, hide, hide_pieces

WINDOW = 65_536
"""Characters of a vendor's words that are looked at."""
LONGEST_SECRET = 4_096
"""Characters that the longest secret may have, a signed token for instance."""

_HIDING_NAME = (
    r"(?:[\w-]{0,40}(?:password|passwd|passphrase|secret|token|api[_-]?key|rest[_-]?key|private[_-]?key|signature"
    r"|credential)[\w-]{0,40}|x-amz-[\w-]+|x-goog-[\w-]+|awsaccesskeyid|key-pair-id|policy|sig|sid|session[_-]?id"
    r"|jsessionid|code|code_verifier|assertion|pwd|(?:set-)?cookie)"
)
# What is followed by a colon and a blank is often a sentence, so fewer names count there.
_SPOKEN_NAME = (
    r"(?:[\w-]{0,40}(?:password|passwd|passphrase|secret|token|api[ _-]?key|rest[ _-]?key|private[ _-]?key)"
    r"|pwd|session[ _-]?id)"
)
_QUOTE = r"""(?:\\{0,3}["']|&quot;|&\#3[49];)"""
_AUTHORIZATION = re.compile(
    r"""(?ix) ( \b (?:proxy-)? authorization (?:\\{0,3}["']|&quot;)? \s* [:=] \s* (?:\\{0,3}["']|&quot;)? )
    (?: (?:digest|hawk|oauth|signature|aws4-hmac-sha256) \s+ [^\r\n]*
    | (?: (?:basic|bearer|negotiate|[a-z]+key) \s+ )? [^\s"',;}\\&]+ ) """
)
_SCHEME = re.compile(
    r"(?i)\b(basic|bearer|exagokey)\s+(?=[\w.~+/=:-]{6,})(?:[\w.~+/:-]*[\d+/._~:-][\w.~+/:-]*=*|[\w.~+/:-]{16,}=*)"
)
_DIGEST = re.compile(r"""(?i)\b(digest\s+)(?:username|realm|nonce)\s*=[^\r\n]*""")
_QUOTED = re.compile(
    rf"""(?i)({_QUOTE}{_HIDING_NAME}{_QUOTE}\s*:\s*)(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"""
    # A run of backslashes is one step: looked at anew from each of them, the time would grow with the square of it.
    r"""|(?:\\+["']|&quot;|&\#3[49];)(?:[^\\&\n]|\\+(?!["'\\])|&(?!quot;|\#3[49];))*(?:\\+["']|&quot;|&\#3[49];)?"""
    r"""|[^\s,}\]]+)"""
)
_ATTRIBUTE = re.compile(rf"""(?i)(?<![\w-])({_HIDING_NAME}\s*=\s*)(?:"[^"<>]*"?|'[^'<>]*'?)""")
_ELEMENT = re.compile(rf"(?i)(<(?:[\w-]{{1,20}}:)?{_HIDING_NAME}(?:\s[^<>]{{0,200}})?>)[^<]+")
_ASSIGNED = re.compile(rf"(?i)(?<![\w-])({_HIDING_NAME})=(?!=)\s*[^\s&;,\"'<>)}}\]]+")
_SPOKEN = re.compile(rf"(?i)(?<![\w-])({_SPOKEN_NAME}\s*:\s+)[^\s,;\"'<>)}}\]]+")
# The marks of a URL as they are, and as JSON (also inside of JSON), HTML and another URL write them.
_SLASH = r"(?:\\{0,8}/|\\{1,8}u002f|%(?:25){0,3}2f|&\#(?:47|x2f);|&sol;)"
_COLON = r"(?::|\\{1,8}u003a|%(?:25){0,3}3a|&\#(?:58|x3a);|&colon;)"
_QUESTION = r"(?:\?|\\{1,8}u003f|%(?:25){0,3}3f|&\#(?:63|x3f);|&quest;)"
_AT = r"(?:@|\\{1,8}u0040|%(?:25){0,3}40|&\#(?:64|x40);|&commat;)"
_URL_END = r"""&(?:quot|apos|lt|gt|\#(?:34|39|60|62|x22|x27|x3c|x3e));"""
_USER_INFO = re.compile(
    rf"""(?i)\b([a-z][a-z0-9+.-]{{0,20}}{_COLON}{_SLASH}{_SLASH})(?:(?!{_SLASH}|{_QUESTION}|{_URL_END})[^#\s"<>])+({_AT})"""
)
_RUN = re.compile(r"""[^\s"<>]+""")
_TWO_SLASHES = re.compile(rf"(?i){_SLASH}{_SLASH}")
_QUERY_OR_END = re.compile(rf"(?i)({_QUESTION})|{_URL_END}")
_END = re.compile(rf"(?i){_URL_END}")
_SESSION_PATH = re.compile(r"(?i)(/sessions?/)[^/?#\s\"']+")

_KEPT_AND_HIDDEN = rf"\1{HIDDEN}"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (_AUTHORIZATION, _KEPT_AND_HIDDEN),
    (_SCHEME, rf"\1 {HIDDEN}"),
    (_DIGEST, _KEPT_AND_HIDDEN),
    (_QUOTED, _KEPT_AND_HIDDEN),
    (_ATTRIBUTE, _KEPT_AND_HIDDEN),
    (_ELEMENT, _KEPT_AND_HIDDEN),
    (_ASSIGNED, rf"\1={HIDDEN}"),
    (_SPOKEN, _KEPT_AND_HIDDEN),
    (_USER_INFO, rf"\1{HIDDEN}\2"),
    (_SESSION_PATH, _KEPT_AND_HIDDEN),
)

_HARMLESS_NAME = re.compile(rf"(?i)(?!{_HIDING_NAME}$)[\w.\[\]-]{{1,64}}\Z")
_HARMLESS_VALUE = re.compile(r"(?i)(?:[\w.:+-]|%2[0BCD]|%3A){0,40}\Z")
_OPAQUE = re.compile(r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])[\w+/=-]{20,}\Z")


def redact(text: str) -> str:
    """Return the text without credentials, session ids and signatures of links: those that this process knows, in any
    spelling, and what looks like one. The time grows with the length of the text alone.

    Redact first and cut afterwards: a secret that was cut in two is no longer recognised.

    :param text: of more than 64 KiB only the beginning is looked at, and returned
    """
    clean = hide(text[:WINDOW])
    for pattern, instead in _PATTERNS:
        clean = pattern.sub(instead, clean)
    # What stands at the end of the window may be half a secret.
    return clean if len(text) <= WINDOW else f"{clean[: -min(len(clean), LONGEST_SECRET)]}…"


def redact_quote(text: str) -> str:
    """Return a text that quotes somebody else without all that, and without the query of any URL in it.

    Which parameter of a link is its signature is for whoever signs it to choose, so none of them is shown, and however
    the text escapes the URL. Links of our own go through :func:`safe_url`, which keeps what is harmless.
    """
    return _RUN.sub(_without_queries, redact(text))


def _without_queries(run: re.Match[str]) -> str:
    text, kept, at = run[0], [], 0
    while begin := _TWO_SLASHES.search(text, at):
        mark = _QUERY_OR_END.search(text, begin.end())
        if mark is None:
            break
        kept.append(text[at : mark.end()])
        at = mark.end()
        if mark[1]:
            end = _END.search(text, at)
            stop = end.start() if end else len(text)
            kept.append(HIDDEN if stop > at else "")
            at = stop
    return "".join((*kept, text[at:]))


def redact_words(text: str, longest: int) -> str:
    """Return the beginning of what a vendor said, in one line, without credentials, queries of URLs and any piece of 8
    characters of a known secret, wherever the vendor or somebody before us has cut it.

    :param text: the vendor's words; of more than 64 KiB only the beginning is looked at
    """
    clean = " ".join(redact_quote(text).split())
    clean = hide_pieces(clean[: longest + LONGEST_SECRET])
    return clean if len(clean) <= longest else f"{clean[: longest - 1]}…"


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
