"""The names of the columns in a CSV header, and where the header ends. Loads neither Arrow nor Delta."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from nightshift.lake.charset import marked
from nightshift.lake.spec import CsvSpec

HEAD = 1 << 20
FIELD_LIMIT = 1 << 27


class HeaderProblem(ValueError):
    """A header cannot be used as it is; the text says why, and which setting helps."""


def first_record(text: bytes, spec: CsvSpec, *, is_header: bool = True) -> tuple[list[str], int]:
    """Return the first record of a CSV text that is no empty line, and the offset behind it; no fields where there is none.

    :param text: in UTF-8, or its beginning; the record has to end within its first MiB
    :param is_header: whether it has to be the header, which no line of blanks is
    :raises csv.Error: not CSV
    :raises UnicodeDecodeError: not UTF-8
    """
    csv.field_size_limit(max(FIELD_LIMIT, csv.field_size_limit()))
    # Cut off in the middle of a character is no mistake of the text.
    head = text[:HEAD].decode("utf-8", "strict" if len(text) <= HEAD else "ignore")
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for line in io.StringIO(head, newline=""):
            read += len(line.encode())
            yield line

    for record in csv.reader(lines(), delimiter=spec.delimiter, quotechar=spec.quote):
        if record and not (is_header and len(record) == 1 and record[0].isspace()):
            return record, read
    return [], len(text)


def column_names(record: Sequence[str], spec: CsvSpec) -> list[str]:
    """Return the names of the columns of a header; the last is empty where the header ends with a delimiter.

    Blanks around a name are none of it, nor are quotes behind a blank. A name that comes twice, in whatever case, and a column
    without a name before the last one are told apart as ``csv.repeated_names`` says.

    :raises HeaderProblem: a name comes twice, or a column has none
    """
    quote = spec.quote
    names = [name.strip().lstrip("\ufeff") for name in record]
    names = [
        name[1:-1] if raw[:1].isspace() and len(name) > 1 and name[0] == name[-1] == quote else name
        for raw, name in zip(record, names, strict=True)
    ]
    if spec.repeated_names == "number":
        return _numbered(names)
    seen: set[str] = set()
    for at, name in enumerate(names, 1):
        if name.lower() in seen or (not name and (at < len(names) or at == 1)):
            what = f"names the column {name!r} twice" if name else f"has no name for column {at}"
            raise HeaderProblem(
                f"the header {what}: {', '.join(names)[:300]}. Set csv: {{repeated_names: number}} for the report to call the "
                f"second one {f'{name}_2' if name else f'column_{at}'!r}, or let the vendor name its columns apart"
            )
        seen.add(name.lower())
    return names


def header_of(body: bytes, spec: CsvSpec) -> list[str]:
    """Return the names of the columns of a CSV text of any character set; none where it is empty.

    A nameless column at the end, as of a header that ends with a delimiter, is not among them unless it is numbered.

    :param body: the beginning of the text
    :raises HeaderProblem: a name comes twice, or a column has none
    :raises csv.Error: not CSV
    :raises UnicodeDecodeError: not of the character set
    """
    charset, mark = marked(body, spec.charset)
    head = body[mark : mark + HEAD]
    text = head.decode(charset, "strict" if len(body) <= len(head) + mark else "ignore")
    record, _ = first_record(text.encode(), spec)
    names = column_names(record, spec)
    return names[:-1] if names and not names[-1] else names


def _numbered(names: Sequence[str]) -> list[str]:
    taken = {name.lower() for name in names if name}
    found: list[str] = []
    seen: set[str] = set()
    for at, name in enumerate(names, 1):
        base = name or (f"column_{at}" if at < len(names) else "")
        wanted, count = base, 1
        while wanted.lower() in seen or (wanted != name and wanted.lower() in taken):
            count += 1
            wanted = f"{base}_{count}"
        found.append(wanted)
        seen.add(wanted.lower())
    return found
