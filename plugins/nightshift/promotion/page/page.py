"""The pages, as text: plain HTML, everything escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from nightshift.promotion.page import words
from nightshift.promotion.page.status import ApplicationStatus
from nightshift.promotion.record import PromotionRecord


def render_overview(found: Sequence[ApplicationStatus], *, mistakes: Mapping[str, str], trouble: str = "") -> str:
    """Return the page of all applications.

    :param mistakes: application → what is wrong with its configuration; under an empty name, with the whole file
    """
    stages = list(dict.fromkeys(chain.from_iterable(one.stages for one in found)))
    return _render("overview.html", found=found, stages=stages, mistakes=mistakes, trouble=trouble)


def render_application(status: ApplicationStatus, *, mistake: str = "") -> str:
    """Return the page of one application.

    :param mistake: what is wrong with its configuration
    """
    return _render("application.html", one=status, mistake=mistake, dag_id=words.dag_of(status.application))


def render_problem(title: str, text: str) -> str:
    """Return a page that says why there is no other."""
    return _render("problem.html", title=title, text=text)


@cache
def style() -> str:
    """Return the style of the pages."""
    return _file("page.css")


def _render(name: str, **values: object) -> str:
    own = Markup(style())  # noqa: S704  # a file of this package
    return _environment().get_template(name).render(style=own, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(_file)
    )
    environment.globals.update(run_link=words.run_link, dag_of=words.dag_of, where_it_is=words.where_it_is)
    environment.filters.update(
        when=words.when,
        tone=words.tone,
        plain=words.plain,
        brief=words.brief,
        web_link=words.web_link,
        is_open=_is_open,
    )
    return environment


def _is_open(record: PromotionRecord, first: bool) -> bool:
    """Whether a record is shown unfolded: the newest one, and all that are underway."""
    return first or record.closed is None


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
