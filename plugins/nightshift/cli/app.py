"""The command ``nightshift`` and what it can be asked for."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from nightshift.cli.check import config
from nightshift.cli.doctor.command import doctor
from nightshift.cli.hold import hold
from nightshift.cli.jobs import jobs
from nightshift.cli.nights import nights
from nightshift.cli.project import SETTINGS, WRITES, Fate, Needs, PlannedFile, Project
from nightshift.cli.promotions import promotions
from nightshift.cli.replay import replay
from nightshift.cli.revoke import revoke
from nightshift.cli.schema import SCHEMAS
from nightshift.cli.settle import settle
from nightshift.cli.terminal import Exit, logs_beside, print_json, telling
from nightshift.cli.watch import watch
from nightshift.config.document import ConfigError
from nightshift.config.scalars import name_problem
from nightshift.lake.store import Lake
from nightshift.provider import get_provider_info
from nightshift.sources import SOURCES

app = typer.Typer(
    no_args_is_help=True,
    # A traceback shows the values of variables, and some of them are secrets.
    pretty_exceptions_enable=False,
    help="Nightly vendor reports and promotions in Airflow. Exit codes and --json: 'The command line' of the documentation.",
)
app.add_typer(config, name="config")
app.add_typer(nights, name="nights")
app.add_typer(hold, name="hold")
app.add_typer(jobs, name="jobs")
app.command()(doctor)
app.command()(promotions)
app.command()(replay)
app.command()(revoke)
app.command()(settle)
app.command()(watch)
Source = StrEnum("Source", {name: name for name in SOURCES})  # type: ignore[misc]  # mypy knows literal members
ConfigFile = StrEnum("ConfigFile", {name: name for name in SCHEMAS})  # type: ignore[misc]  # likewise
_GRANTED = "tokenflex"
"""The connection type that lets nobody in before a person has granted access in the UI."""
_FATES = {
    Fate.NEW: "green",
    Fate.UPDATED: "green",
    Fate.EXTENDED: "green",
    Fate.OVERWRITTEN: "red",
    Fate.KEPT: "yellow",
}


def main() -> None:
    """Run a command, and end the process where it ends.

    The object store offers no way to end its threads. One that still reports to Python while the interpreter takes
    itself apart would abort the process, and with it the exit code; so the interpreter does not.
    """
    os._exit(ended_with(app))


def ended_with(command: Callable[[], object]) -> int:
    """Run a command to its end, and until all that it printed has left; return the exit code."""
    code: object = 0
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A sign that the terminal does not have is told by its number; it is no reason to tell nothing.
            stream.reconfigure(errors="backslashreplace")
    try:
        with telling():
            command()
    except SystemExit as ended:
        code = ended.code
    except typer.Exit as ended:
        code = ended.exit_code
    except BrokenPipeError:
        code = Exit.WRONG
    code = code if isinstance(code, int) else int(code is not None)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        # Whoever read it has seen enough, and nobody is there to be told.
        return code or Exit.WRONG
    except OSError as error:
        os.write(2, f"nightshift: the result could not be written ({error.strerror}).\n".encode())
        return Exit.NOT_KNOWN
    return code


@app.callback()
def _commands(context: typer.Context) -> None:
    """Say what goes wrong beside the result of a command, never in it."""
    context.with_resource(logs_beside())


@app.command()
def init(
    source: Annotated[
        list[Source] | None, typer.Option("--source", "-s", help="A source of reports; may be repeated.")
    ] = None,
    application: Annotated[
        list[str] | None, typer.Option("--application", "-a", help="An application to promote; may be repeated.")
    ] = None,
    dags: Annotated[
        Path | None, typer.Option(help="Folder of the DAG files.", show_default="Airflow's, or ./dags")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the configuration.", envvar="NIGHTSHIFT_CONFIG", show_default="./config/nightshift"
        ),
    ] = None,
    lake: Annotated[
        str,
        typer.Option(
            help="A folder, s3://bucket/prefix, gs://…, az://….",
            envvar="NIGHTSHIFT_LAKE",
            show_default="lake beside the DAG folder",
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that somebody changed.")] = False,
) -> None:
    """Put DAG files, configuration and settings into an Airflow project; again at any time, also after an upgrade."""
    found = os.environ.get("AIRFLOW__CORE__DAGS_FOLDER")
    project = Project(
        dags=(dags or Path(found or "dags")).absolute(),
        config=(config or Path("config/nightshift")).absolute(),
        lake=_lake(lake),
        sources=tuple(dict.fromkeys(one.value for one in source or ())),
        applications=tuple(dict.fromkeys(application or ())),
        force=force,
    )
    for name in project.applications:
        if problem := name_problem(name):
            raise typer.BadParameter(f"{name!r}: {problem}", param_hint="--application")
    if not (project.sources or project.applications or (project.config / "reports.yaml").exists()):
        raise typer.BadParameter(f"name at least one of {', '.join(SOURCES)}", param_hint="--source")
    out = Console(highlight=False)
    try:
        files, needs = project.plan()
        if not dry_run:
            project.write(files)
    except (ConfigError, OSError) as error:
        Console(stderr=True).print(f"nightshift: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    _show_files(out, files, dry_run=dry_run)
    _show_steps(out, project, needs)


@app.command()
def schema(file: Annotated[ConfigFile, typer.Argument(help="Which file.")]) -> None:
    """Print the JSON schema of reports.yaml, promotions.yaml or notify.yaml, for editors."""
    print_json(SCHEMAS[file.value]())


def _lake(given: str) -> str:
    """Return the URL of a lake, of a folder its whole path."""
    try:
        folder = Lake.from_url(given).folder if given else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--lake") from None
    return given if folder is None else str(folder)


def _show_files(out: Console, files: list[PlannedFile], *, dry_run: bool) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for file in files:
        would = "would be " if dry_run and file.fate in WRITES else ""
        table.add_row(f"[{_FATES.get(file.fate, 'dim')}]{would}{file.fate}", str(file.path))
    out.print(table, soft_wrap=True)
    for file in files:
        if file.diff and (file.fate is Fate.KEPT or (dry_run and file.before is not None)):
            out.print(Syntax(file.diff, "diff", background_color="default"), soft_wrap=True)
    if any(file.fate is Fate.KEPT for file in files):
        out.print("Somebody changed what is kept; --force overwrites it.", style="yellow")


def _show_steps(out: Console, project: Project, needs: Needs) -> None:
    """Print what is left to do, as lines that can be copied."""
    settings = shlex.quote(str(project.config / SETTINGS))
    steps = [("Give these settings to every process of Airflow; in a shell:", [f"set -a; . {settings}; set +a"])]
    home = Path(os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow").absolute()
    if "AIRFLOW__CORE__DAGS_FOLDER" not in os.environ and project.dags != home / "dags":
        named = f"export AIRFLOW__CORE__DAGS_FOLDER={shlex.quote(str(project.dags))}"
        steps.append(("Where Airflow does not read its DAG files from there, let it, in every process:", [named]))
    if needs.examples:
        files = [(shlex.quote(str(project.config / file)), names) for file, names in needs.examples.items()]
        edited = [f"${{EDITOR:-vi}} {file}  # {', '.join(names)}" for file, names in files]
        steps.append(("Put what is yours in the place of the examples (reports, contract, project, stages):", edited))
    if needs.pools:
        steps.append(("Make the pools:", [f"airflow pools import {shlex.quote(str(project.config / 'pools.json'))}"]))
    added = [_connection_line(name, kind) for name, kind in needs.connections]
    steps.append(("Add the connections, with what is yours, here or in the UI under Admin, Connections:", added))
    tests = [
        (kind, f"AIRFLOW__CORE__TEST_CONNECTION=Enabled airflow connections test {name}")
        for name, kind in needs.connections
    ]
    steps.append(("See whether the vendors let you in:", [test for kind, test in tests if kind != _GRANTED]))
    about = (
        "Once Airflow runs, let a person grant access in its UI under Admin, Token Flex sign-in (a connection with "
        "auth two_legged or bearer needs none), then see whether it works:"
    )
    steps.append((about, [test for kind, test in tests if kind == _GRANTED]))
    unpaused = [f"airflow dags unpause {one}" for one in needs.dag_ids]
    triggered = [f"airflow dags trigger {one}" for one in needs.dag_ids[:1] if needs.sections]
    steps.append(("Start, once Airflow runs and has seen the DAG files:", [*unpaused, *triggered]))
    steps = [(about, lines) for about, lines in steps if lines]
    for number, (about, lines) in enumerate(steps, start=1):
        out.print(f"\n{number}. {about}", style="bold", soft_wrap=True)
        for line in lines:
            out.print(f"   {line}", markup=False, soft_wrap=True)


def _connection_line(name: str, kind: str) -> str:
    """Return the command that adds a connection; what is secret is asked for in variables of the shell."""
    (form,) = [one for one in get_provider_info()["connection-types"] if one["connection-type"] == kind]
    behaviour: dict[str, Any] = form["ui-field-behaviour"]
    shown = [one for one in ("host", "login", "password") if one not in behaviour["hidden-fields"]]
    words = {"host": behaviour["placeholders"]["host"].rpartition(" ")[2]}
    words["login"] = f"<{behaviour['relabeling'].get('login', 'login').lower()}>"
    options = [f"--conn-{one} {shlex.quote(words[one])}" for one in shown if one in words]
    if "password" in shown:
        options.append(f'--conn-password "${kind.upper()}_PASSWORD"')
    return f"airflow connections add {name} --conn-type {kind} {' '.join(options)}"
