"""What the pages say is so: links, keys, extras, messages, sections, and what is made from the models."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from docs.reference import files
from nightshift.cli.schema import SCHEMAS, described
from nightshift.config.notify import Channel, channels_in_force
from nightshift.config.promotions import read_applications
from nightshift.config.reading import read_section
from nightshift.config.reports import Report, model_of
from nightshift.flexdeploy.routes import Call, read_routes
from nightshift.flexdeploy.vocabulary import ApiVersion
from nightshift.http.client_settings import SHARED_EXTRAS
from nightshift.lake.spec import SIMPLE_TYPES
from nightshift.sources import SOURCES, VENDORS

ROOT = Path(__file__).resolve().parents[3]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
PACKAGE = ROOT / "plugins/nightshift"


def blocks(page: Path, language: str) -> Iterator[tuple[str, str]]:
    """Find the fenced blocks of a page: what stands behind the language, and the lines."""
    fence = re.compile(rf"^( *)```{language}([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
    for indent, title, text in fence.findall(page.read_text()):
        yield title.strip(), re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(page: Path) -> set[str]:
    found = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", one).strip().lower()) for one in found}


def named(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


@pytest.mark.parametrize("page", PAGES, ids=named(PAGES))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_made_from_the_models_is_as_they_are(path: Path) -> None:
    assert path.read_text() == files()[path], "make docs"


@pytest.mark.parametrize(
    ("page", "file", "text"),
    [
        pytest.param(page, title, text, id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        if "vendors" not in page.parts
        for number, (title, text) in enumerate(blocks(page, "yaml"))
    ],
)
def test_every_example_of_configuration_is_taken(page: Path, file: str, text: str, tmp_path: Path) -> None:
    name = "notify.yaml" if re.search(r"^  to: ", text, re.MULTILINE) else "reports.yaml"
    name = "promotions.yaml" if "stages:" in text else name
    if page.parent.name == "docs" or page.parent.name == "sources":
        assert file == f'title="{name}"'
    reports = dict(re.findall(r"(\w+)/(\w+)", "".join(re.findall(r"^  after: (.*)$", text, re.MULTILINE))))
    known = "".join(f"{one}: {{{SOURCES[one].key}: [{{name: {report}}}]}}\n" for one, report in reports.items())
    (tmp_path / "reports.yaml").write_text(known or "x-none: 1\n")
    (tmp_path / name).write_text(text)
    if name == "promotions.yaml":
        found = read_applications(tmp_path)
        assert found
        assert not [str(one) for one in found.values() if isinstance(one, Exception)]
    elif name == "notify.yaml":
        mistakes: list[str] = []
        assert channels_in_force(tmp_path, mistakes=mistakes)
        assert mistakes == []
    else:
        assert any(read_section(one, model_of(one), folder=tmp_path) is not None for one in SOURCES)


def connections() -> Iterator[tuple[str, str, dict[str, object]]]:
    for page in PAGES:
        for _, text in blocks(page, "[a-z]*"):
            for line in text.splitlines():
                if "AIRFLOW_CONN_" in line:
                    given = json.loads(line.partition("='")[2].rstrip("'"))
                    yield page.name, given["conn_type"], given.get("extra", {})
                elif "airflow connections add" in line:
                    words = shlex.split(line)
                    extra = words[words.index("--conn-extra") + 1] if "--conn-extra" in words else "{}"
                    yield page.name, words[words.index("--conn-type") + 1], json.loads(extra)


def test_every_extra_of_an_example_is_one_that_counts() -> None:
    found = list(connections())
    assert {kind for _, kind, _ in found} == set(VENDORS)
    for page, kind, extra in found:
        assert set(extra) <= VENDORS[kind].extras | SHARED_EXTRAS, page


def test_every_extra_is_told() -> None:
    for kind, vendor in VENDORS.items():
        page = (ROOT / f"docs/sources/{kind}.md").read_text()
        assert [name for name in vendor.more_extras if f"`{name}`" not in page] == []


def texts() -> list[str]:
    """Return all texts of the package, each with ``…`` where something is filled in."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"%(?:\.\d)?[sdrgf]", "…", node.value))
    return found


def messages() -> list[str]:
    rows = re.findall(r"^\| (`.*?`) \|", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row)]


def test_every_message_of_the_runbook_is_one_of_ours() -> None:
    ours = "\n".join(texts())
    unknown = []
    for message in messages():
        parts = [re.escape(part.strip(" .")) for part in message.split("…") if part.strip(" .")]
        if not re.search(r"[^\n]*".join(parts), ours):
            unknown.append(message)
    assert len(messages()) > 50
    assert unknown == []


CITED = re.compile(
    r"(FlexNet|Token Flex|Camunda Optimize|Exago|FlexDeploy)\s+reference,\s+sections?\s+"
    r"((?:\d+(?:\.\d+)?(?:,\s+|\s+and\s+|\s+to\s+)?)+)"
)


def test_every_section_that_a_docstring_cites_is_there() -> None:
    cited = 0
    for path in PACKAGE.rglob("*.py"):
        for vendor, sections in CITED.findall(path.read_text()):
            page = ROOT / f"docs/vendors/{vendor.lower().replace(' ', '_').replace('token_flex', 'tokenflex')}.md"
            there = set(re.findall(r"^#+ (\d+(?:\.\d+)?) ", page.read_text(), re.MULTILINE))
            missing = set(re.findall(r"\d+(?:\.\d+)?", sections)) - there
            assert not missing, f"{path.name} cites {vendor} {sections}"
            cited += 1
    assert cited > 20


def test_every_target_that_is_named_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = [found for page in PAGES for found in re.findall(r"`([^`\n]+)`", page.read_text())]
    code += [text for page in PAGES for language in ("sh", "") for _, text in blocks(page, language)]
    code += re.findall(r"run: (.+)", (ROOT / ".github/workflows/ci.yml").read_text())
    named = {target for text in code for target in re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)}
    assert {"run", "test", "lint", "types", "docs", "test-matrix"} <= named
    assert named <= targets


def test_every_door_of_the_architecture_is_there() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    for name in set(re.findall(r"`(nightshift(?:\.\w+)+)`", text)):
        parts = name.split(".")
        found: object = import_module(".".join(parts[:2]))
        for number, part in enumerate(parts[2:], start=3):
            if not hasattr(found, part):
                import_module(".".join(parts[:number]))
            found = getattr(found, part)
    walk = text.partition("## The walk of a night")[2].partition("\n## ")[0]
    rooms = set(re.findall(r"`nightshift\.(\w+)", walk)) | {"dags"}
    assert 5 <= len(rooms) <= 8, rooms


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert listed == {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}


def test_what_is_wrong_with_the_site_fails_its_build() -> None:
    (build,) = re.findall(r"mkdocs build(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    # mkdocs counts no warning that it does not show.
    assert build.split() == ["--strict"]


def test_no_text_of_the_package_names_a_file_that_only_a_checkout_has() -> None:
    assert [text for text in texts() if re.search(r"\bdocs/[\w/]+\.md", text)] == []


def test_the_reference_names_every_type_of_a_column() -> None:
    told = re.findall(r"`([^`]+)`", described(Report)["types"])
    assert set(told) == {*SIMPLE_TYPES, "decimal(p,s)"}


def test_every_reference_of_a_file_tells_how_a_section_is_taken_out() -> None:
    pages = [(ROOT / f"docs/reference/{name}.md").read_text() for name in SCHEMAS]
    assert all("`name: {removed: true}`" in page for page in pages)


def test_the_reference_names_all_that_stands_for_a_message() -> None:
    page = (ROOT / "docs/watch.md").read_text()
    (line,) = [one for one in page.splitlines() if one.startswith("In the texts of `arguments`")]
    fields = set(re.findall(r"`\{(\w+)\}`", line))
    (filled,) = re.findall(r"^_FIELD = .*\{\((.*?)\)", (PACKAGE / "notify/others.py").read_text(), re.MULTILINE)
    assert fields == set(filled.split("|"))
    assert set(re.findall(r"\{(\w+)\}", described(Channel)["arguments"])) == fields


def test_the_page_of_flexdeploy_names_every_route() -> None:
    page = (ROOT / "docs/sources/flexdeploy.md").read_text().partition("## Other paths")[2]
    told = dict(re.findall(r"^\| `(\w+)` \| `?(.*?)`? \|", page, re.MULTILINE))
    routes = read_routes(ApiVersion.V1, None)
    known = {call: routes.get(call) for call in Call}
    assert told == {str(call): f"{one.method} {one.template}" if one else "off" for call, one in known.items()}


def test_the_values_of_the_chart_take_every_file_of_the_configuration() -> None:
    head = (ROOT / "deploy/values.yaml").read_text()
    assert [name for name in SCHEMAS if f"--from-file={name}.yaml" not in head] == []


def test_every_place_of_a_new_vendor_is_there() -> None:
    page = (ROOT / "docs/new-vendor.md").read_text().partition("## The room")[0]
    places = [path for path in re.findall(r"^\| `([^`]+)`", page, re.MULTILINE) if path != "source.py"]
    assert len(places) > 8
    assert [one for one in places if not (ROOT / one.replace("<vendor>", "flexnet")).exists()] == []
