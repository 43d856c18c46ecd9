"""What a person writes is what is meant, and a mistake stays where it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.config.document import MAX_VALUES, ConfigError, Document, load
from nightshift.config.promotions import Application, read_applications
from nightshift.config.scalars import Plain, as_json
from nightshift.flexnet.configuration import FlexNet
from nightshift.settings import read_section
from nightshift.tokenflex.configuration import TokenFlex

TEXTS = [
    "0110000917",
    "007",
    "1.10",
    "1e3",
    "1_000",
    "0x1F",
    "0o17",
    "0b101",
    "22:00",
    "1:30",
    "190:20:30",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "true",
    "False",
    "2026-11-21",
    "2026-11-21T10:00:00Z",
    "2026-13-45",
    ".inf",
    "-.Inf",
    ".nan",
    "NaN",
    "+5",
    "-0",
    "1.",
    "=",
    "12345678901234567890123",
    "0.1000000000000000055",
    "None",
    "Nullify",
]


def document(folder: Path, text: str) -> Document:
    (folder / "x.yaml").write_text(text)
    return load(folder / "x.yaml")


@pytest.mark.parametrize("text", TEXTS)
def test_a_word_is_the_text_that_was_written(tmp_path: Path, text: str) -> None:
    assert document(tmp_path, f"a: {text}\nb: '{text}'\n{text}: c\n").values == {"a": text, "b": text, text: "c"}


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_nothing_is_none_and_in_quotes_a_text(tmp_path: Path, text: str) -> None:
    assert document(tmp_path, f"a: {text}\nb: '{text}'\n").values == {"a": None, "b": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("0", 0),
        ("2.50", 2.5),
        ("1e3", 1000.0),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("007", "007"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("22:00", "22:00"),
        ("2026-11-21", "2026-11-21"),
        (".inf", ".inf"),
        ("'3'", "3"),
        ("'true'", "true"),
        ("~", None),
        ("[1, 'x', {a: 2}]", [1, "x", {"a": 2}]),
        ("12345678901234567890123", 12345678901234567890123),
    ],
)
def test_what_goes_to_a_vendor_as_it_is_is_what_it_is_in_json(tmp_path: Path, text: str, value: object) -> None:
    found = as_json(document(tmp_path, f"a: {text}\n").values["a"])
    assert (found, type(found)) == (value, type(value))


def test_a_number_beyond_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reports.yaml").write_text("flexnet: {reports: [{name: a, query: {x: {gt: 1e999}}}]}")
    with pytest.raises(
        ConfigError, match=r"reports.yaml:1: flexnet.reports\[0\].query.x: is a number that nobody can hold"
    ):
        read_section("flexnet", FlexNet, folder=tmp_path)


def test_a_contract_is_the_digits_that_were_written(tmp_path: Path) -> None:
    export = "{name: a, category: DESKTOP_PRODUCT, fields: [usageDate], contract: 007}"
    (tmp_path / "reports.yaml").write_text(f"tokenflex:\n  contract: 0110000917\n  exports: [{export}]\n")
    found = read_section("tokenflex", TokenFlex, folder=tmp_path)
    assert found is not None
    assert (found.contract, found.exports[0].contract) == ("0110000917", "007")


@pytest.mark.parametrize(
    ("field", "written", "value"),
    [
        ("page_size", "0100", 100),
        ("page_size", "1e3", 1000),
        ("page_size", "2.5e3", 2500),
        ("page_size", "1_000", 1000),
        ("checks", "{band: {nights: 1e1}}", 10),
        ("page_size", "'250'", 250),
        ("empty_as_null", "yes", True),
        ("empty_as_null", "off", False),
        ("empty_as_null", "true", True),
        ("key", "[007, no, 1.10]", ("007", "no", "1.10")),
        ("night_column", "on", "on"),
        ("types", "{no: date}", {"no": "date"}),
        ("schema_rules", "{allow_lost_columns: yes}", True),
        ("schema_rules", "{allow_lost_columns: [on, 007]}", ("on", "007")),
        (
            "query",
            "{id: {$eq: 7}, code: {$ne: 007}, on: {$sw: yes}, deep: {$in: [{x: true}, 2.5]}}",
            {"id": {"$eq": 7}, "code": {"$ne": "007"}, "on": {"$sw": "yes"}, "deep": {"$in": [{"x": True}, 2.5]}},
        ),
    ],
)
def test_the_model_says_what_a_word_is(tmp_path: Path, field: str, written: str, value: object) -> None:
    (tmp_path / "reports.yaml").write_text(f"flexnet:\n  reports:\n    - name: 2026\n      {field}: {written}\n")
    section = read_section("flexnet", FlexNet, folder=tmp_path)
    assert section is not None
    found: Any = getattr(section.reports[0], field)
    found = found.allow_lost_columns if field == "schema_rules" else found
    found = found.band.nights if field == "checks" else found
    assert (section.reports[0].name, found, type(found)) == ("2026", value, type(value))
    assert not any(isinstance(one, Plain) for one in (found if isinstance(found, tuple) else [found]))


@pytest.mark.parametrize(
    ("path", "written", "value"),
    [
        ("project", "on", "on"),
        ("stream", "1.10", "1.10"),
        ("stream", "2026-11-21", "2026-11-21"),
        ("description", "2026", "2026"),
        ("build.environment", "no", "no"),
        ("build.inputs", "{A: yes, B: 010, on: a, 'null': ''}", {"A": "yes", "B": "010", "on": "a", "null": ""}),
        ("build.related_tickets", "[17, 1e3]", ("17", "1e3")),
        ("build.workflow_version", "1.10", "1.10"),
        ("stages.0.name", "on", "on"),
        ("stages.0.approval", "{users: [007]}", ("007",)),
        ("stages.0.window.opens", "9:05", "09:05"),
        ("stages.0.window.opens", "22:00", "22:00"),
    ],
)
def test_so_it_is_in_promotions(tmp_path: Path, path: str, written: str, value: object) -> None:
    parts: dict[str, str] = {
        "project": "project: a/b",
        "stream": "stream: main",
        "description": "description: x",
        "build.environment": "environment: DEV",
        "build.inputs": "inputs: {}",
        "build.related_tickets": "related_tickets: []",
        "build.workflow_version": "workflow_version: v",
        "stages.0.name": "name: n",
        "stages.0.approval": "approval: {}",
        "stages.0.window.opens": "opens: 10:00",
    }
    parts[path] = f"{path.rpartition('.')[2]}: {written}"
    (tmp_path / "promotions.yaml").write_text(
        "a:\n  {project}\n  {stream}\n  {description}\n  build:\n    {environment}\n"
        "    {inputs}\n    {tickets}\n    {version}\n"
        "  stages:\n  - environment: TEST\n    {name}\n    {approval}\n    window:\n"
        "      timezone: UTC\n      {opens}\n      closes: 23:00\n".format(
            project=parts["project"],
            stream=parts["stream"],
            description=parts["description"],
            environment=parts["build.environment"],
            inputs=parts["build.inputs"],
            tickets=parts["build.related_tickets"],
            version=parts["build.workflow_version"],
            name=parts["stages.0.name"],
            approval=parts["stages.0.approval"],
            opens=parts["stages.0.window.opens"],
        )
    )
    found: Any = read_applications(tmp_path)["a"]
    assert isinstance(found, Application), found
    for step in path.split("."):
        found = found[int(step)] if step.isdigit() else getattr(found, step)
    assert (found.users if path == "stages.0.approval" else found) == value


# The section with the mistake, the line that is told, and what is told; the other sections are read.
BROKEN = [
    ("b:\n\tx: 1\n", 4, "a tab indents this line, and YAML takes blanks only; replace it by blanks"),
    ("b:\n  x: 1\n \ty: 1\n", 5, "a tab indents this line"),
    ("b:\n  x: 'one\n", 4, "the quote that opens in this line is not closed; close it"),
    ('b:\n  x: "one\n  y: 2\n', 4, "the quote that opens in this line is not closed; close it"),
    ("b:\n  {x: 1\n", 4, "the bracket that opens in this line is not closed; close it"),
    ("b: {x: 1}}\n", 3, "did not find expected"),
    ("b:\n  - x\n y: 1\n", 5, "did not find expected key"),
    ("b: x: y\n", 3, "mapping values are not allowed in this context"),
    ("b:\n  x: @y\n", 4, "found character that cannot start any token"),
    ("b:\n  x: *nowhere\n", 4, "found undefined alias"),
    ("b:\n  x: 1\n  x: 2\n", 5, "b.x: given twice, first in line 4; keep one"),
    ("b:\n  - {x: 1, x: 2}\n", 4, "b[0].x: given twice, first in line 4; keep one"),
    ("b: &b [*b]\n", 3, "b[0]: an alias (*name) stands inside of its own anchor (&name); write it out"),
    ("b: &b {<<: *b}\n", 3, "'<<' takes names with their values from elsewhere (*name), and here are none"),
    ("b:\n  <<: 7\n", 4, "'<<' takes names with their values from elsewhere (*name), and here are none"),
    ("b:\n  ? [x]\n  : y\n", 4, "b: a list or a mapping stands where a name belongs; write 'name: value'"),
    ("b: !!python/object:os.system {}\n", 3, "the tag !!python/object:os.system means nothing here; leave it out"),
    ("b:\n  x: !!int '3'\n", 4, "b.x: the tag !!int means nothing here; leave it out"),
    ("b: !secret x\n", 3, "b: the tag !secret means nothing here; leave it out"),
    (
        "b:\n  x: https://ada:hunter22@example.com/\n",
        4,
        "b.x: is a URL with a password in it; use a connection of Airflow",
    ),
    ("b:\n  x: [socks5://:hunter22@example.com/]\n", 4, "b.x[0]: is a URL with a password in it"),
    *[
        (
            f"b:\n  {name}: hunter22\n",
            4,
            f"b.{name}: looks like a secret, and this file is not kept like one; use a connection of Airflow",
        )
        for name in (
            "password",
            "Password",
            "DB_PASSWORD",
            "db-passwd",
            "api_key",
            "apiKey",
            "accessToken",
            "client_secret",
            "TOKEN",
            "pwd",
        )
    ],
    ("b:\n  password: 12345\n", 4, "b.password: looks like a secret"),
    ("b: " + "[" * 2000 + "]" * 2000 + "\n", 3, "lists and mappings stand more than 100 deep inside of each other"),
]


@pytest.mark.parametrize(("section", "line", "told"), BROKEN)
def test_a_mistake_of_any_kind_leaves_the_other_sections_alone(
    tmp_path: Path, section: str, line: int, told: str
) -> None:
    found = document(tmp_path, f"a: {{x: 1}}\n# a note\n{section}c:\n  - 'y: 2'\nd: !!str 7\n")
    assert found.values["a"] == {"x": "1"}
    assert found.values["c"] == ["y: 2"]
    assert found.lines[("d",)] == found.lines[("c",)] + 2
    assert list(found.mistakes) == ["b"]
    with pytest.raises(ConfigError) as caught:
        found.value("b")
    assert str(caught.value).startswith(f"{tmp_path}/x.yaml:{line}: ")
    assert told in str(caught.value)
    assert "hunter22" not in str(caught.value)
    assert found.sections == ["a", "b", "c", "d"]


def test_a_character_that_yaml_does_not_take_is_told_with_its_line(tmp_path: Path) -> None:
    found = document(tmp_path, "a: 1\nb:\n  c: x\x00y\nd: 2\n")
    assert found.values == {"a": "1", "d": "2"}
    ((told,),) = found.mistakes.values()
    assert told.startswith(f"{tmp_path}/x.yaml:3: not valid YAML: ")
    assert len(told.splitlines()) == 1


def test_a_second_document_is_told(tmp_path: Path) -> None:
    found = document(tmp_path, "---\na: 1\n---\nb: 2\n")
    assert found.mistakes == {
        "a": [f"{tmp_path}/x.yaml:3: a second document begins here ('---'), and nobody reads it; put all into one"]
    }


def test_sections_without_a_mistake_keep_what_they_share(tmp_path: Path) -> None:
    found = document(tmp_path, "a: &a {x: 1}\nb:\n\tx: 1\nc: {<<: *a, y: 2}\n")
    assert found.values == {"a": {"x": "1"}, "c": {"x": "1", "y": "2"}}
    gone = document(tmp_path, "a: &a\n\tx: 1\nb: {x: 1}\nc: {<<: *a, y: 2}\n")
    assert (gone.values, list(gone.mistakes)) == ({"b": {"x": "1"}}, ["a", "c"])


def test_a_quote_that_swallows_a_section_is_a_mistake_of_both(tmp_path: Path) -> None:
    found = document(tmp_path, 'a: 1\nb:\n  x: "one\nc:\n  y: two"\nd: 1\n')
    assert list(found.mistakes) == ["b", "c"]
    assert found.mistakes["b"] == [
        f"{tmp_path}/x.yaml:3: b.x: the quote that opens here goes on over 'c' in line 4; close it"
    ]
    assert found.mistakes["c"] == [f"{tmp_path}/x.yaml:4: c: stands inside of the quote that opens in line 3"]
    assert found.sections == ["a", "b", "c", "d"]


def test_a_section_that_is_there_twice_is_a_mistake_of_its_own(tmp_path: Path) -> None:
    found = document(tmp_path, "a: 1\nb: 2\na: 3\nc: 4\n")
    assert found.mistakes == {"a": [f"{tmp_path}/x.yaml:3: a: given twice, first in line 1; keep one"]}


@pytest.mark.parametrize("shape", ["list", "mapping", "merge", "sections"])
def test_aliases_cannot_cost_seconds(tmp_path: Path, shape: str) -> None:
    """Nine times ten times itself: a billion values."""
    match shape:
        case "list":
            inner = ["  l0: &l0 [x]"] + [f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
        case "mapping":
            inner = ["  l0: &l0 {x: y}"]
            inner += [f"  l{n}: &l{n} {{{', '.join(f'k{k}: *l{n - 1}' for k in range(10))}}}" for n in range(1, 10)]
        case "merge":
            inner = ["  l0: &l0 {x: y}"] + [
                f"  l{n}: &l{n} {{<<: [{', '.join([f'*l{n - 1}'] * 10)}]}}" for n in range(1, 10)
            ]
        case _:
            inner = []
    text = "\n".join(["a: 1", "b:", *inner, "  z: 1", "c: 2", ""])
    if shape == "sections":
        text = (
            "a: 1\nb0: &b0 [x]\n"
            + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 10)}]\n" for n in range(1, 30))
            + "c: 2\n"
        )
    begun = time.process_time()
    found = document(tmp_path, text)
    assert time.process_time() - begun < 3
    assert found.values["a"] == "1"
    told = "aliases (*name) make it longer than a person can read; write it out"
    if shape == "sections":
        assert f"x.yaml:7: b5: {told}" in str(found.mistakes["b5"])
    else:
        assert (found.values["c"], found.mistakes) == ("2", {"b": [f"{tmp_path}/x.yaml:2: b: {told}"]})


def test_a_long_file_without_aliases_is_read(tmp_path: Path) -> None:
    found = document(tmp_path, "a:\n" + "".join(f"  - {{name: r{n}, key: [x]}}\n" for n in range(MAX_VALUES // 10)))
    assert (len(found.values["a"]), found.mistakes) == (MAX_VALUES // 10, {})


def test_what_goes_deeper_than_the_parser_can_is_told(tmp_path: Path) -> None:
    # A parser that has a limit of its own says in which section, any other one can say it of the file alone.
    try:
        told = str(document(tmp_path, "a: " + "[" * 200_000).mistakes["a"])
    except ConfigError as error:
        told = str(error)
    assert "more than 100 deep" in told


@pytest.mark.parametrize("columns", ["types", "variables"])
def test_a_column_may_be_called_anything(tmp_path: Path, columns: str) -> None:
    assert (
        document(
            tmp_path, f"a:\n  {columns}: {{token: string}}\n  key: [Password]\n  use_token: true\n  token: ''\n"
        ).mistakes
        == {}
    )


@given(
    st.dictionaries(
        st.text(min_size=1),
        st.recursive(st.none() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one), max_leaves=8),
        min_size=1,
    )
)
def test_what_is_kept_is_read_as_it_was(value: dict[str, Any]) -> None:
    import tempfile

    from nightshift.config.in_force import Kept

    with tempfile.TemporaryDirectory() as folder:
        kept = Kept(Path(folder), Path(folder) / "reports.yaml")
        kept.put("a", value)
        copy = kept.get("a")
    assert copy is not None
    if not copy.mistakes:  # a key that looks like a secret is one here as well
        assert copy.values == {"a": value}
