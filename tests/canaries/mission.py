"""The whole mission with canaries for secrets, in an Airflow of its own that logs at DEBUG: what goes well, and
each way in which a secret could come into an error."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urljoin

from cryptography.fernet import Fernet

from include.local.airflow import LocalAirflow, free_port
from include.local.rest import Api, ApiError
from include.standins import Fault, FaultKind
from include.standins.tokenflex import vendor_fault
from nightshift.tokenflex.consent import MOUNT
from nightshift.tokenflex.tokens import Grant, Part, decode, key_of
from tests.canaries.configured import BREAKS, NOTIFY, PROMOTIONS, REPORTS
from tests.canaries.opened import Vendors, connections, receivers, tokens, wrong_extras
from tests.canaries.places import Texts, every, texts_of_database, texts_of_folder
from tests.canaries.search import canary
from tests.canaries.vendors import Ear
from tests.contract.standins.client import Answer, ask

ROOT = Path(__file__).resolve().parents[2]
PROMOTION = "promote_portal"
PATIENCE = 1500.0
"""Seconds for a run: a token that a busy Airflow is slow to renew is asked for three times, five minutes apart."""
NIGHTLY = {
    "flexnet": "flexnet_reports",
    "tokenflex": "tokenflex_exports",
    "camunda_optimize": "camunda_reports",
    "exago": "exago_catalog",
}
BROKEN = "breaks_in_a_hook"
FERNET_KEY = "AIRFLOW__CORE__FERNET_KEY"


@dataclass
class Mission:
    """What was made for one mission, and what it has left.

    :ivar canaries: secret → what it is
    :ivar told: pages, answers and outputs, with where they are from
    :ivar failed: runs that had to fail and did
    :ivar trouble: why it did not come to its end
    """

    folder: Path
    ear: Ear = field(default_factory=Ear)
    canaries: dict[str, str] = field(default_factory=dict)
    told: list[tuple[str, bytes]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    succeeded: list[str] = field(default_factory=list)
    trouble: str = ""

    def new(self, what: str, *, marked: bool = True, length: int = 30) -> str:
        """Return a new canary."""
        value = canary(marked=marked, length=length)
        self.canaries[value] = what
        return value

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """Each secret with what it is: canaries, and what was heard."""
        heard = ((what, value) for value, what in self.ear.heard.items())
        return [*((what, value) for value, what in self.canaries.items()), *heard]

    def texts(self) -> Iterator[tuple[str, Texts]]:
        """Give all places: kind of the place, texts."""
        home = self.folder / "airflow"
        yield "logs and files of Airflow", (one for one in texts_of_folder(home) if "passwords.json" not in one[0])
        yield "tables of the metadata database", texts_of_database(home / "airflow.db")
        yield "lake", texts_of_folder(self.folder / "lake")
        yield "pages, answers and terminals", iter(self.told)


class Browser:
    """A person who is signed in to Airflow, in front of the sign-in page; follows no redirect."""

    def __init__(self, mission: Mission, airflow: LocalAirflow, api: Api) -> None:
        self._mission = mission
        self.page = f"{airflow.url}{MOUNT}/"
        self._headers = {"Authorization": f"Bearer {api.token()}"}

    def get(self, url: str) -> Answer:
        """Read a page."""
        answer = ask(url, headers=self._headers, timeout=60)
        self._mission.told.append((f"page {url.partition('?')[0]}", answer.body))
        return answer

    def grant(self, connection: str) -> str:
        """Grant access for a connection and return what the page says at the end."""
        shown = self.get(self.page).body.decode()
        [ticket] = re.findall(
            rf'connections/{connection}/grant".*?name="ticket" value="([^"]+)"', shown, flags=re.DOTALL
        )
        headers = {**self._headers, "Content-Type": "application/x-www-form-urlencoded"}
        form = urlencode({"ticket": ticket}).encode()
        begun = ask(f"{self.page}connections/{connection}/grant", method="POST", headers=headers, body=form, timeout=60)
        agreed = ask(begun.headers["Location"], timeout=30)
        ended = self.get(agreed.headers["Location"])
        return self.get(urljoin(f"{self.page}callback", ended.headers["Location"])).body.decode()


def night(days_ago: int) -> str:
    """Return the night of so many days ago."""
    return (datetime.now(UTC).date() - timedelta(days=days_ago)).isoformat()


class Flight:
    """One mission that runs.

    :param say: told what is going on
    """

    def __init__(self, mission: Mission, vendors: Vendors, airflow: LocalAirflow, say: Callable[[str], None]) -> None:
        self.mission, self.vendors, self.airflow, self.say = mission, vendors, airflow, say
        self.api = airflow.api
        self.browser = Browser(mission, airflow, self.api)
        self._nights = iter(range(2, 40))

    def fly(self) -> None:
        """Let everything happen, and read everything that can be read."""
        self._await_dags()
        self._connect(tokens(self.mission, self.vendors), receivers(self.mission, self.vendors))
        self.say("connections whose extras are wrong, and the Test button")
        wrong = wrong_extras(self.mission, self.vendors)
        self._test({**wrong, **tokens(self.mission, self.vendors)})
        self.say("every vendor refuses the sign-in")
        refused = connections(self.mission, self.vendors, right=False)
        self._connect(refused)
        self._test(refused)
        self._nightly("failed")
        self._promote("failed")
        self.say("a person grants access; every vendor quotes the request in a 500 first")
        right = connections(self.mission, self.vendors, right=True)
        self._connect(right)
        self._quote(500, times=1)
        self._test(right)
        self._quote(500, times=1)
        self.browser.grant("tokenflex_default")
        self._silence()
        assert "is granted" in self.browser.grant("tokenflex_default")
        self.mission.canaries[self._seal("tokenflex_default")] = "the seal of a grant"
        self._run("tokenflex_token", "success")
        self._quote(500, 429, 503, times=1)
        self._nightly(None)
        self._silence()
        self.say("a night that goes well, and a promotion")
        self.vendors.tokenflex.faults.add(
            vendor_fault("url_expired"), Fault(kind=FaultKind.RESET_BODY, origin="download", at_bytes=2000, after=1)
        )
        self._nightly("success")
        self._promote("success")
        self.say("every vendor quotes the request in each answer until it is given up")
        self._quote(400, times=8)
        self._nightly("failed")
        self._quote(400, times=8)
        self._promote("failed")
        self._quote(401, times=8)
        self._nightly("failed")
        self._silence()
        self.say("something of ours breaks inside of each hook; the watch tells every channel")
        self._run(BROKEN, "failed")
        self.vendors.webhooks.statuses = [500, 500, 400, 404]
        self._run("nightshift_watch", None)
        self._run("nightshift_watch", None)
        self.say("pages, answers and the command line")
        self._read()

    def _await_dags(self) -> None:
        wanted = [*NIGHTLY.values(), PROMOTION, BROKEN, "tokenflex_token", "nightshift_watch"]
        for _ in range(240):
            if not (missing := [one for one in wanted if not self._is_there(one)]):
                break
            time.sleep(0.5)
        else:
            raise AssertionError(f"not there: {missing}")
        for dag_id in wanted:
            # The scheduler's own run for last night would take from a vendor what another run is to meet.
            if dag_id not in NIGHTLY.values():
                self.api.unpause(dag_id)

    def _is_there(self, dag_id: str) -> bool:
        try:
            self.api.call("GET", f"/api/v2/dags/{dag_id}")
        except ApiError:
            return False
        return True

    def _connect(self, *groups: Mapping[str, Mapping[str, Any]]) -> None:
        for group in groups:
            for connection_id, fields in group.items():
                self.api.put_connection(connection_id, **fields)

    def _test(self, group: Mapping[str, Mapping[str, Any]]) -> None:
        for connection_id, fields in group.items():
            try:
                answer = self.api.call(
                    "POST", "/api/v2/connections/test", {"connection_id": connection_id, **fields}, tries=1
                )
            except ApiError as error:
                answer = error.body
            self.mission.told.append((f"test of {connection_id}", repr(answer).encode()))

    def _quote(self, *statuses: int, times: int) -> None:
        """Let each vendor quote what it is asked for next."""
        for one in (self.vendors.tokenflex, self.vendors.flexdeploy):
            # Whether a job was made after an answer of 500 is in doubt, and holds all that comes after it.
            one.quotes = lambda request: (
                not request.path.endswith("/authorize")
                and (request.method == "GET" or request.path.endswith("/token") or max(statuses) < 500)
            )
        for one in self.vendors.all:
            one.statuses = [*statuses] * times

    def _seal(self, conn_id: str) -> str:
        """Return the key that the pairs of a grant are sealed with, which Airflow keeps encrypted."""
        with closing(sqlite3.connect(f"file:{self.airflow.home / 'airflow.db'}?mode=ro", uri=True)) as database:
            query = "SELECT val FROM variable WHERE key = ?"
            [text] = database.execute(query, (key_of(conn_id, Part.GRANT),)).fetchone()
        return decode(Fernet(self.airflow.extra_environment[FERNET_KEY]).decrypt(text).decode(), Grant, conn_id).seal

    def _silence(self) -> None:
        for one in self.vendors.all:
            one.statuses = []

    def _run(self, dag_id: str, state: str | None, **more: Any) -> str:
        run_id = self.api.trigger(dag_id, **more)
        return self._ended(dag_id, run_id, state)

    def _ended(self, dag_id: str, run_id: str, state: str | None) -> str:
        found = self.api.wait(dag_id, run_id, timeout=PATIENCE)["state"]
        if state is not None and found != state:
            tasks = {one["task_id"]: one["state"] for one in self.api.tasks(dag_id, run_id)}
            bad = next((name for name, one in tasks.items() if one == "failed"), None)
            why = self.api.failure(dag_id, run_id, bad) if bad else None
            raise AssertionError(f"{dag_id} {run_id} is {found} and not {state}: {tasks} {why}")
        (self.mission.failed if found == "failed" else self.mission.succeeded).append(f"{dag_id} {run_id}")
        return run_id

    def _nightly(self, state: str | None) -> None:
        # Snapshots have no other night than the last.
        the_night = night(1) if state == "success" else night(next(self._nights))
        for dag_id in NIGHTLY.values():
            self.api.unpause(dag_id)
        runs = {dag_id: self.api.trigger(dag_id, partition_key=the_night) for dag_id in NIGHTLY.values()}
        for dag_id, run_id in runs.items():
            self._ended(dag_id, run_id, state)

    def _promote(self, state: str) -> None:
        run_id = self.api.trigger(PROMOTION)
        answered = 0.0
        for run, _ in self.api.follow(PROMOTION, run_id, timeout=PATIENCE):
            answered += 1
            for question in self.api.questions(PROMOTION, run_id):
                task = question["task_instance"]["task_id"]
                self.mission.told.append((f"question {task}", json.dumps(question).encode()))
                if answered % 6 == 5:
                    with suppress(ApiError):
                        self.api.answer(PROMOTION, run_id, task, "Approve", reason="")
            if run["state"] == state:
                break
        self._ended(PROMOTION, run_id, state)

    # What can be read.

    def _read(self) -> None:
        api, told = self.api, self.mission.told
        for what in (
            "connections",
            "variables",
            "eventLogs",
            "dags",
            "importErrors",
            "assets",
            "assets/events",
            "jobs",
        ):
            told += [(f"API {what}", repr(one).encode()) for one in every(api, f"/api/v2/{what}")]
        for path in ("dags/~/dagRuns", "dags/~/dagRuns/~/taskInstances", "dags/~/dagRuns/~/hitlDetails"):
            told += [(f"API {path}", repr(one).encode()) for one in every(api, f"/api/v2/{path}")]
        for one in every(api, "/api/v2/dags/~/dagRuns/~/taskInstances"):
            where = f"/api/v2/dags/{one['dag_id']}/dagRuns/{quote(one['dag_run_id'], safe='')}/taskInstances"
            self._get(f"{where}/{quote(one['task_id'])}/logs/{max(1, one['try_number'])}?full_content=true")
            for entry in every(api, f"{where}/{quote(one['task_id'])}/xcomEntries"):
                self._get(f"{where}/{quote(one['task_id'])}/xcomEntries/{quote(entry['key'])}")
        self._board()
        self.browser.get(self.browser.page)
        for vendor in self.vendors.all:
            entries = [repr(one) for one in (*vendor.ledger.requests(), *vendor.ledger.effects())]
            told.append((f"ledger of {vendor.name}", "\n".join(entries).encode()))
        self._terminal()

    def _board(self) -> None:
        board = "/nightshift/board/api"
        for path in ("overview", "nights", "promotions", "promotions/portal", "figures", "jobs", "connections"):
            self._get(f"{board}/{path}")
        for path in ("incidents", "holds", f"nights/flexnet/account/{night(3)}", f"nights/exago/tree/{night(3)}"):
            self._get(f"{board}/{path}")
        self._get("/nightshift/board/api/nights/nobody/nothing/2026-01-01")

    def _get(self, path: str) -> None:
        try:
            answer = json.dumps(self.api.call("GET", path, tries=1), ensure_ascii=False)
        except ApiError as error:
            answer = error.body
        self.mission.told.append((f"API {path}", answer.encode()))

    def _terminal(self) -> None:
        environment = {
            **self.airflow.environment(),
            "NIGHTSHIFT_AIRFLOW_URL": self.airflow.url,
            "NIGHTSHIFT_AIRFLOW_USER": "admin",
            "NIGHTSHIFT_AIRFLOW_PASSWORD": self.airflow.password,
        }
        for words in (
            "doctor --json",
            "doctor",
            "nights --json",
            "jobs --json",
            "jobs",
            "promotions --json",
            "promotions",
            "config check --json",
            "watch --json",
            "hold list --json",
        ):
            done = subprocess.run(
                [str(Path(sys.executable).parent / "nightshift"), *words.split()],
                env=environment,
                capture_output=True,
                timeout=300,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            self.mission.told.append((f"nightshift {words}", done.stdout + done.stderr))


def fly(folder: Path, say: Callable[[str], None] = print) -> Mission:
    """Let the mission happen, and stop everything; what it left is in the folder and in the mission."""
    mission = Mission(folder)
    config, dags = folder / "config", folder / "dags"
    for path in (config, dags, folder / "lake"):
        path.mkdir(parents=True)
    for name, text in (("reports", REPORTS), ("promotions", PROMOTIONS), ("notify", NOTIFY)):
        (config / f"{name}.yaml").write_text(text)
    for path in sorted((ROOT / "dags").glob("*.py")):
        shutil.copy(path, dags)
    (dags / "breaks.py").write_text(BREAKS)
    environment = {
        "NIGHTSHIFT_LAKE": str(folder / "lake"),
        "NIGHTSHIFT_CONFIG": str(config),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        FERNET_KEY: Fernet.generate_key().decode(),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    }
    with ExitStack() as stack:
        vendors = Vendors(mission)
        for vendor in vendors.all:
            stack.enter_context(vendor)  # type: ignore[arg-type]
        airflow = LocalAirflow(folder / "airflow", free_port(), environment, dags=dags, parallelism=6)
        say("starting an Airflow that logs at DEBUG")
        stack.enter_context(airflow)
        mission.canaries[airflow.password] = "the password of Airflow's admin"
        flight = Flight(mission, vendors, airflow, say)
        try:
            flight.fly()
        except (AssertionError, TimeoutError, ApiError, KeyboardInterrupt) as error:
            # What there is by then is searched all the same.
            mission.trouble = f"{type(error).__name__}: {error}"
            say(f"the mission did not come to its end: {mission.trouble}")
    return mission
