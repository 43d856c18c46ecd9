"""What must hold before a night is published. Pure: numbers in, verdicts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nightshift.lake.bands import in_band
from nightshift.lake.extract import CLAIMED_ROWS, ON_TWO_PAGES, Manifest
from nightshift.lake.spec import PublishSpec


@dataclass(frozen=True)
class CheckResult:
    """The verdict of one check.

    :param name: ``vendor_totals``, ``rows_read``, ``rows_published``, ``unique_key``, ``not_empty``,
        ``other_nights`` or ``band``
    :param ok: whether it holds
    :param detail: the numbers, and what to do where it does not
    """

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class KeyFindings:
    """What was found out about the key of a night.

    :param nulls: rows without a value, by key column
    :param absent: key columns that no row has
    :param identical: rows that were there before, in every column; they are dropped
    :param on_two_pages: those of them that had come on another page only
    :param conflicts: number of rows whose key came before with other content
    :param examples: up to 5 of their keys
    """

    nulls: Mapping[str, int] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    identical: int = 0
    on_two_pages: int = 0
    conflicts: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counts:
    """Rows on their way from the landing to the table.

    :param read: read from the landing
    :param duplicates: dropped as identical to one before
    :param outside: dropped, of nights that were not asked for
    :param nights: rows to be published, by night
    :param others: rows of nights that were not asked for of the vendor either, by night
    """

    read: int
    duplicates: int
    outside: int
    nights: Mapping[str, int]
    others: Mapping[str, int] = field(default_factory=dict)

    @property
    def published(self) -> int:
        """Rows to be published in all nights."""
        return sum(self.nights.values())


def judge(
    manifest: Manifest, spec: PublishSpec, counts: Counts, key: KeyFindings, history: Mapping[str, int]
) -> list[CheckResult]:
    """Return the verdict of every check that applies."""
    wanted = spec.checks
    results = []
    if wanted.vendor_totals:
        results.append(vendor_totals(manifest, key if wanted.unique_key and spec.key else None))
    results.append(rows_read(manifest.rows, counts.read))
    results.append(rows_published(counts))
    if wanted.unique_key and spec.key:
        results.append(unique_key(spec.key, key))
    if wanted.not_empty:
        results.append(CheckResult("not_empty", counts.published > 0, f"{counts.published} rows to publish"))
    if wanted.other_nights in ("some", "none"):
        results.append(other_nights(counts, some=wanted.other_nights == "some"))
    if wanted.band is not None:
        nights = sorted(counts.nights.items())
        results += [CheckResult("band", *in_band(wanted.band, night, rows, history)) for night, rows in nights]
    return results


def vendor_totals(manifest: Manifest, key: KeyFindings | None = None) -> CheckResult:
    """Compare the vendor's own totals with what was landed; a total that the vendor does not give is not judged.

    Rows that are identical to one before are dropped, so what they are decides. On one page they are the report's own:
    the vendor counts them. One that came on two pages is the same row twice, because the report moved while it was
    read: the vendor counts it once, and where it still counts as many rows as came, another row is missing. Or the
    report has it twice: only an extract that read all pages twice and found the same knows that. So the total has to be
    one of

    * the rows without those that came on two pages, or without all that are identical,
    * all rows that came, where no more came on two pages than the extract found in two walks.

    Without a key nobody looks for identical rows: the total has to be what came. The pages are judged where the vendor
    counts no rows.

    :param key: what was found out about the key; ``None`` where none is watched
    """
    claimed, landed = manifest.vendor_totals, manifest.rows
    twice, identical = (key.on_two_pages, key.identical) if key is not None else (0, 0)
    seen = _seen(manifest, key)
    if claimed.rows is None:
        return _claimed_pages(manifest, seen)
    detail = f"the vendor speaks of {claimed.rows} rows, {seen}"
    is_own = twice <= int(manifest.notes.get(ON_TWO_PAGES, 0))
    if claimed.rows in (landed - twice, landed - identical) or (claimed.rows == landed and is_own):
        return CheckResult("vendor_totals", True, detail)
    if claimed.rows == landed:
        problem = f"{twice} others are probably missing: the report moved while it was read. Extract the night again"
    elif claimed.rows > landed - twice:
        problem = "rows are missing. Extract the night again"
    else:
        problem = "the report moved while it was read, or the count is wrong. Extract the night again; if the count is "
        problem += "always wrong, set checks.vendor_totals to false"
    return CheckResult("vendor_totals", False, f"{detail}: {problem}")


def _seen(manifest: Manifest, key: KeyFindings | None) -> str:
    seen = f"{manifest.rows} are landed in {manifest.pages} pages"
    if key is None:
        return f"{seen}, and without a key nobody looks for rows that came twice"
    if not key.identical:
        return f"{seen}, none twice"
    return f"{seen}, {key.identical} of them identical to one before, {key.on_two_pages} on another page"


def _claimed_pages(manifest: Manifest, seen: str) -> CheckResult:
    claimed, pages = manifest.vendor_totals.pages, manifest.pages
    if (count := manifest.notes.get(CLAIMED_ROWS)) is not None:
        detail = f"the vendor speaks of {count} rows, fewer than came to the end of its own walk: not trusted; {seen}"
        return CheckResult("vendor_totals", True, detail)
    if claimed is None:
        return CheckResult("vendor_totals", True, f"the vendor gives none; {seen}")
    detail = f"the vendor speaks of {claimed} pages, {seen}"
    again = "" if claimed == pages else ": the report changed while it was read. Extract the night again"
    return CheckResult("vendor_totals", claimed == pages, f"{detail}{again}")


def rows_read(landed: int, read: int) -> CheckResult:
    """Compare the rows that were counted when they were landed with those that were read now."""
    advice = "" if landed == read else ". Check data_key, or the csv settings, and publish again"
    return CheckResult("rows_read", landed == read, f"{landed} rows landed, {read} read{advice}")


def rows_published(counts: Counts) -> CheckResult:
    """Account for every row: published = read - duplicates - outside."""
    ok = counts.published == counts.read - counts.duplicates - counts.outside
    return CheckResult(
        "rows_published",
        ok,
        f"{counts.published} to publish = {counts.read} read - {counts.duplicates} identical - {counts.outside} of "
        "other nights",
    )


def other_nights(counts: Counts, *, some: bool) -> CheckResult:
    """Say whether the rows are of the nights that were asked for: where they are not, something else was answered, and
    that a night has no rows is not known.

    :param some: whether some of them may be of others, but not all
    """
    rows = sum(counts.others.values())
    ok = not rows or (some and rows < counts.read)
    detail = f"{rows} of {counts.read} rows are of nights that are not asked for"
    allowed = "all" if some else "some"
    wrong = (
        f", such as {max(counts.others, default='')}: what was asked for is not what came. Look at where, at "
        "night_column and at what the vendor takes for a day; if the report is right so, set checks.other_nights to "
        f"{allowed}"
    )
    return CheckResult("other_nights", ok, f"{detail}{'' if ok else wrong}")


def unique_key(key: Sequence[str], found: KeyFindings) -> CheckResult:
    """Say whether the key names one row; identical rows are none of its trouble."""
    wrong = [f"no row has the key column {name!r}; correct key" for name in found.absent]
    wrong += [f"{rows} rows have no value in the key column {name!r}" for name, rows in found.nulls.items() if rows]
    if found.conflicts:
        wrong.append(
            f"{found.conflicts} rows have the key ({', '.join(key)}) of another row and other content, for instance "
            f"{', '.join(found.examples)}; extend key by what tells them apart, or extract the night again"
        )
    detail = "; ".join(wrong) or f"({', '.join(key)}) names one row; {found.identical} identical rows dropped"
    return CheckResult("unique_key", not wrong, detail)


def failed(results: Sequence[CheckResult]) -> str:
    """Return the failed checks for a person, or an empty text."""
    return "; ".join(f"{result.name}: {result.detail}" for result in results if not result.ok)
