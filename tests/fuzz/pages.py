"""Whole pages of rows, of all types, as text: JSON and CSV."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from nightshift.lake.columns import Target
from tests.fuzz.values import json_texts, likely_json, texts_of

KINDS = {
    "s": "string",
    "i": "int64",
    "f": "float64",
    "b": "bool",
    "d": "decimal(20,4)",
    "a": "date",
    "t": "timestamp",
    "n": "json",
}
COLUMNS = [Target(name, kind, name) for name, kind in KINDS.items()]
_NAMES = st.lists(st.sampled_from(list(KINDS)), max_size=9)
_BLANKS = st.sampled_from(["", "", "", " ", "\n", "\t \r\n"])


@st.composite
def json_pages(draw: st.DrawFn) -> bytes:
    """Return a page: mostly sound rows; members in any order, missing, null, twice, unknown, of other types."""
    wild = draw(st.integers(0, 3)) == 0
    value = json_texts if wild else likely_json
    rows = []
    for _ in range(draw(st.integers(0, 4))):
        names = draw(_NAMES) if wild else dict.fromkeys(draw(_NAMES))
        members = [(name, draw(value(KINDS[name]))) for name in names]
        if wild and draw(st.booleans()):
            members.append((draw(st.text(max_size=3)), draw(json_texts("string"))))
        blank = draw(_BLANKS)
        rows.append("{" + ",".join(f"{blank}{_named(name, wild)}{blank}:{text}{blank}" for name, text in members) + "}")
    listed = f"[{draw(_BLANKS)}{(draw(_BLANKS) + ',').join(rows)}]"
    page = draw(
        st.sampled_from(
            ['{{"data":{}}}', '{{"header":{{"x":[{{}}]}},"data":{}}}', "{}", ' {{"data" : {} , "a":"]"}} ', "\ufeff{}"]
        )
    ).format(listed)
    return page.encode()


def _named(name: str, escaped: bool) -> str:
    return f'"\\u{ord(name):04x}"' if escaped and len(name) == 1 and ord(name) < 0xD800 else json.dumps(name)


_FIELDS = [
    st.just("") | texts_of(kind).map(lambda text: "".join(one for one in text if one not in "\",\r\n'"))
    for kind in KINDS.values()
]
_LINES = st.tuples(*_FIELDS).map(",".join)


@st.composite
def csv_pages(draw: st.DrawFn) -> bytes:
    """Return a page with a header: a field of each type, or nearly so."""
    return ("\n".join([",".join(KINDS), *draw(st.lists(_LINES, min_size=1, max_size=3))]) + "\n").encode()
