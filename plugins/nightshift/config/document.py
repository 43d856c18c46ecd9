"""A configuration file, read so that nothing changes its meaning on the way and one mistake stays in its own section.

YAML with the words of :mod:`nightshift.config.scalars`, and without what hides mistakes: a key that is given twice,
tags, an alias inside of its own anchor, aliases that grow beyond :data:`MAX_VALUES`, a secret. Where the file as a
whole is not YAML, it is split at the keys that begin in the first column, and the sections without a mistake are read
all the same.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nightshift.config.scalars import Plain
from nightshift.known_secrets import hide

log = logging.getLogger(__name__)

MAX_VALUES = 50_000
"""Values of one section with all aliases written out; a file may cost three times as many."""
MAX_DEPTH = 100
"""Levels of lists and mappings inside of each other; the parser in C gives up with the process at some ten thousand."""
MAX_ROUNDS = 100
"""Sections that are no YAML only beside others; with more the file as a whole is none."""
_TOO_DEEP = f"lists and mappings stand more than {MAX_DEPTH} deep inside of each other"
_NULL, _MERGE, _TEXT = (f"tag:yaml.org,2002:{name}" for name in ("null", "merge", "str"))
_USUAL = frozenset({_NULL, _MERGE, _TEXT, "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
# The parser in C is about ten times as fast; PyYAML can be built without it.
_Loader: type[yaml.SafeLoader] = type(
    "_Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {"yaml_implicit_resolvers": {}}
)
_Loader.add_implicit_resolver(_NULL, re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_MERGE, re.compile(r"<<\Z"), ["<"])
_TOP_KEY = re.compile(r"""(?:"([^"\n]+)"|'([^'\n]+)'|([^\s#&*!|>%@`"'\[\]{},?:-][^:#\n]*?))\s*:(?:\s|$)""")
# YAML 1.1 ends a line at each of these, the parser in C too; Python's str.splitlines at others besides.
_LINE_END = re.compile("(?<=[\n\x85\u2028\u2029])")
_LEVELS = re.compile(r"[\[{]|[-?:] ")
_SECRET_NAME = re.compile(
    r"(?:^|[^A-Za-z])(?i:password|passwd|pwd|passphrase|secret|token|api[_-]?key|private[_-]?key)s?$"
    r"|[a-z](?:Password|Passwd|Passphrase|Secret|Token|ApiKey|PrivateKey)s?$"
)
_COLUMNS = frozenset({"types", "variables"})
"""Keys whose own keys are names of columns."""
_LOGIN = re.compile(r"://[^/\s@]*:[^/\s@]+@")


Location = tuple[str | int, ...]
"""The way to a value: keys of mappings and places in lists."""


class ConfigError(ValueError):
    """One or more mistakes in a configuration file; the text has a line for each: ``file:line: field: what to do``.
    What is known to be secret is not in it, wherever it was typed.
    """

    def __init__(self, text: str) -> None:
        super().__init__(hide(text))


class NoFileError(ConfigError):
    """There is no such file."""


def dotted(at: Location) -> str:
    """Return a place as people write it: ``flexnet.reports[0].name``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at).lstrip(".")


@dataclass(frozen=True)
class Document:
    """A file that was read once.

    :param path: the file
    :param values: section → its value, for each section that could be read; scalars are texts, or ``None``
    :param lines: place → line
    :param mistakes: section → what is wrong with it whatever its model says, a text each
    """

    path: Path
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Location, int] = field(default_factory=dict)
    mistakes: dict[str, list[str]] = field(default_factory=dict)

    @property
    def sections(self) -> list[str]:
        """The names of all sections, in the order of the file."""
        return sorted({*self.values, *self.mistakes}, key=lambda name: self.lines.get((name,), 0))

    def where(self, at: Location) -> str:
        """Return a place as it is told, ``file:line: field``; one that the file does not have is in the line of what is
        around it.
        """
        line = next((self.lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in self.lines), 1)
        return f"{self.path}:{line}: {dotted(at)}"

    def value(self, name: str) -> Any:
        """Return the value of a section.

        :raises ConfigError: it has mistakes
        """
        if name in self.mistakes:
            raise ConfigError("\n".join(self.mistakes[name]))
        return self.values[name]


def load(path: Path) -> Document:
    """Read a file.

    :raises NoFileError: there is none
    :raises ConfigError: it cannot be read, is empty, or has nothing that could be told apart as a section
    """
    try:
        return read(path, _text_of(path))
    except ConfigError:
        raise
    except Exception as error:
        # Whatever it is: what was kept of the sections counts where this is a mistake, and stands still where it is not.
        log.exception("%s could not be read", path)
        raise ConfigError(
            f"{path}: cannot be read, for a reason that Nightshift does not know ({type(error).__name__}: "
            f"{str(error)[:200]}). Undo the last change of this file, and report it with the file and the log."
        ) from error


def read(path: Path, text: str) -> Document:
    """Read a text as what a file says.

    :raises ConfigError: it is empty, or has nothing that could be told apart as a section
    """
    document = Document(path)
    try:
        root = _compose(text)
    except yaml.YAMLError as error:
        root = _salvage(document, text, error)
    except RecursionError:
        raise ConfigError(f"{path}: {_TOO_DEEP}") from None
    if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == _NULL):
        if not text.strip():
            raise ConfigError(f"{path}:1: is empty; put sections into it, or {{}} where there is nothing to configure")
        return document
    if not isinstance(root, yaml.MappingNode):
        found = "list" if isinstance(root, yaml.SequenceNode) else "text"
        raise ConfigError(f"{path}:1: expected sections such as 'name:' at the top, found a {found}")
    _Walk(document, text).sections(root)
    return document


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        other = path.with_suffix(".yml")
        advice = f"There is a {other.name}; rename it to {path.name}." if other.exists() else ""
        advice = advice or "Set NIGHTSHIFT_CONFIG to the folder that holds it."
        raise NoFileError(f"{path}: cannot be read (No such file or directory). {advice}") from None
    except OSError as error:
        advice = "Set NIGHTSHIFT_CONFIG to the folder that holds it."
        raise ConfigError(f"{path}: cannot be read ({error.strerror}). {advice}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text, from byte {error.start} on; save it as UTF-8") from None


def _compose(text: str) -> yaml.Node | None:
    """Return the nodes of a text.

    :raises yaml.YAMLError: it is not YAML
    :raises RecursionError: it is too deep
    """
    # Nodes are made by recursion in C, which ends the process where it is too deep: looked at first, where it may be.
    if len(_LEVELS.findall(text)) > MAX_DEPTH * 50:
        depth = 0
        for event in yaml.parse(text, _Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise RecursionError
    found: yaml.Node | None = _Loader(text).get_single_node()
    return found


@dataclass(frozen=True)
class _Lines:
    """The lines of a section, from 0, ``end`` not among them."""

    name: str
    begin: int
    end: int

    def cut_from(self, lines: list[str]) -> str:
        """Return the lines of this section alone."""
        return "".join(lines[self.begin : self.end])


def _salvage(document: Document, text: str, error: yaml.YAMLError) -> yaml.Node | None:
    """Find the sections that are not YAML, note what is wrong with them, and return the nodes of all others.

    :raises ConfigError: no sections can be told apart
    """
    lines = lines_of(text)
    begins = [(at, key_at_top(line)) for at, line in enumerate(lines)]
    keys = [(at, name) for at, name in begins if name is not None]
    if not keys:
        raise ConfigError(_not_yaml(document.path, error, lines)) from None
    ends = [at for at, _ in keys[1:]] + [len(lines)]
    parts = [_Lines(name, at, end) for (at, name), end in zip(keys, ends, strict=True)]
    for part in parts:
        document.lines.setdefault((part.name,), part.begin + 1)
    broken: set[_Lines] = set()
    for part in parts:
        # What another section anchors is not known to this one alone; the round below has all of them.
        if (wrong := _wrong_in(part.cut_from(lines))) is not None and "alias" not in str(wrong):
            broken.add(part)
            _note(document, part.name, _not_yaml(document.path, wrong, lines, part.begin))
    for _ in range(MAX_ROUNDS):
        gone = {at for part in broken for at in range(part.begin, part.end)}
        kept = "".join("\n" if at in gone else line for at, line in enumerate(lines))
        if (wrong := _wrong_in(kept)) is None:
            return _compose(kept)
        at = _line_of(wrong)
        part_of = next((part for part in reversed(parts) if part.begin <= at), None)
        if part_of is None or part_of in broken:
            raise ConfigError(_not_yaml(document.path, error, lines)) from None
        broken.add(part_of)
        _note(document, part_of.name, _not_yaml(document.path, wrong, lines))
    raise ConfigError(_not_yaml(document.path, error, lines)) from None


def _wrong_in(text: str) -> yaml.YAMLError | None:
    try:
        _compose(text)
    except yaml.YAMLError as error:
        return error
    except RecursionError:
        return yaml.YAMLError(_TOO_DEEP)
    return None


def lines_of(text: str) -> list[str]:
    """Return the lines of a text as YAML counts them, each with its end."""
    return _LINE_END.split(text)


def key_at_top(line: str) -> str | None:
    """Return the key that a line begins in its first column, if it does."""
    found = _TOP_KEY.match(line)
    return None if found is None else found[1] or found[2] or found[3]


def _line_of(error: yaml.YAMLError) -> int:
    mark = getattr(error, "problem_mark", None)
    return mark.line if mark else 0


def _not_yaml(path: Path, error: yaml.YAMLError, lines: list[str], begin: int = 0) -> str:
    """Return what is wrong, and in which line.

    :param begin: the line, from 0, that the text that was read begins with
    """
    lines = lines[begin:] if begin else lines
    mark, problem = getattr(error, "problem_mark", None), str(getattr(error, "problem", None) or error)
    if mark is None:
        # A character that YAML does not take is told without a line.
        sign = chr(character) if isinstance(character := getattr(error, "character", None), int) else None
        at = next((f":{number}" for number, line in enumerate(lines, begin + 1) if sign and sign in line), "")
        return f"{path}{at}: not valid YAML: {problem.splitlines()[0]}"
    if "nesting depth" in problem:  # the parser in C of PyYAML 6.0.4 has a limit of its own
        problem = _TOO_DEEP
    here = f"{path}:{begin + mark.line + 1}"
    if "another document" in problem:
        return f"{here}: a second document begins here ('---'), and nobody reads it; put all into one"
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: mark.column + 1] and not line[: mark.column + 1].strip():
        return f"{here}: a tab indents this line, and YAML takes blanks only; replace it by blanks"
    if (opened := getattr(error, "context_mark", None)) is not None:
        there, context = f"{path}:{begin + opened.line + 1}: not valid YAML", str(getattr(error, "context", ""))
        if "quoted scalar" in context:
            return f"{there}: the quote that opens in this line is not closed; close it"
        if "flow" in context and opened.line < mark.line:
            return f"{there}: the bracket that opens in this line is not closed; close it"
    return f"{here}: not valid YAML: {problem}"


def _note(document: Document, section: str, mistake: str) -> None:
    noted = document.mistakes.setdefault(section, [])
    if mistake not in noted:
        noted.append(mistake)


class _TooMuch(Exception):
    """A section, or the file, has more values than it may."""


class _Walk:
    """From nodes to values, with the line of each."""

    def __init__(self, document: Document, text: str) -> None:
        self.document = document
        self.text = lines_of(text)
        self.section = ""
        self.open: list[int] = []
        self.left_of_file = 3 * MAX_VALUES
        self.left = 0

    def sections(self, root: yaml.MappingNode) -> None:
        """Take all sections of a file."""
        for name, key, value in self._pairs(root, ()):
            self.section, self.left, self.open = name, MAX_VALUES, []
            self.document.lines[(name,)] = key.start_mark.line + 1
            try:
                self.document.values[name] = self._value(value, (name,))
            except _TooMuch:
                self._wrong(key, (name,), "aliases (*name) make it longer than a person can read; write it out")
                self.document.values.pop(name, None)

    def _value(self, node: yaml.Node, at: Location) -> Any:
        self._count()
        if node.tag not in _USUAL:
            self._wrong(
                node, at, f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')} means nothing here; leave it out"
            )
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, at)
        if len(self.open) >= MAX_DEPTH:
            self._wrong(node, at, _TOO_DEEP)
            return None
        if id(node) in self.open:
            self._wrong(node, at, "an alias (*name) stands inside of its own anchor (&name); write it out")
            return None
        self.open.append(id(node))
        try:
            return self._list(node, at) if isinstance(node, yaml.SequenceNode) else self._mapping(node, at)
        finally:
            self.open.pop()

    def _list(self, node: yaml.SequenceNode, at: Location) -> list[Any]:
        found = []
        for index, one in enumerate(node.value):
            self.document.lines.setdefault((*at, index), one.start_mark.line + 1)
            found.append(self._value(one, (*at, index)))
        return found

    def _mapping(self, node: yaml.Node, at: Location) -> dict[str, Any]:
        found = {}
        for name, key, value in self._pairs(node, at):
            below = (*at, name)
            self.document.lines.setdefault(below, key.start_mark.line + 1)
            found[name] = self._value(value, below)
            if _SECRET_NAME.search(name) and at[-1] not in _COLUMNS and _is_secret(found[name]):
                self._wrong(
                    key,
                    below,
                    "looks like a secret, and this file is not kept like one; use a connection of Airflow (for an "
                    "input of FlexDeploy: an encrypted property there)",
                )
        return found

    def _pairs(self, node: yaml.Node, at: Location) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """Yield the entries of a mapping, those that it merges (``<<``) and does not give itself after its own."""
        own: dict[str, int] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if at:
                self._count()
            if key.tag == _MERGE:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            elif not isinstance(key, yaml.ScalarNode):
                self._wrong(key, at, "a list or a mapping stands where a name belongs; write 'name: value'")
            elif (name := str(key.value)) in own:
                self.section = self.section if at else name
                self._wrong(key, (*at, name), f"given twice, first in line {own[name]}; keep one")
            else:
                own[name] = key.start_mark.line + 1
                yield name, key, value
        for other in merged:
            if not isinstance(other, yaml.MappingNode) or id(other) in self.open:
                self._wrong(other, at, "'<<' takes names with their values from elsewhere (*name), and here are none")
                continue
            self.open.append(id(other))
            for name, key, value in self._pairs(other, at):
                if name not in own:
                    own[name] = key.start_mark.line + 1
                    yield name, key, value
            self.open.pop()

    def _scalar(self, node: yaml.ScalarNode, at: Location) -> str | None:
        if node.tag == _NULL:
            return None
        text = str(node.value)
        if _LOGIN.search(text):
            self._wrong(node, at, "is a URL with a password in it; use a connection of Airflow")
            return None
        if node.style in ("'", '"'):
            for line in range(node.start_mark.line + 1, node.end_mark.line + 1):
                if (name := key_at_top(self.text[line])) is not None:
                    self._wrong(
                        node, at, f"the quote that opens here goes on over {name!r} in line {line + 1}; close it"
                    )
                    _note(
                        self.document,
                        name,
                        f"{self.document.path}:{line + 1}: {name}: stands inside of the quote that opens in line "
                        f"{node.start_mark.line + 1}",
                    )
                    self.document.lines.setdefault((name,), line + 1)
            return text
        return text if node.style else Plain(text)

    def _count(self) -> None:
        self.left -= 1
        self.left_of_file -= 1
        if self.left < 0 or self.left_of_file < 0:
            raise _TooMuch

    def _wrong(self, node: yaml.Node, at: Location, problem: str) -> None:
        _note(self.document, self.section, f"{self.document.path}:{node.start_mark.line + 1}: {dotted(at)}: {problem}")


def _is_secret(value: Any) -> bool:
    """Whether a value could be a secret: a text that says something, and is no switch."""
    return (
        isinstance(value, str)
        and bool(value.strip())
        and not (isinstance(value, Plain) and isinstance(value.value, bool))
    )
