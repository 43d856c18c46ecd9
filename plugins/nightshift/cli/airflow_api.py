"""Airflow's REST API, as the person or the machine that runs a command may use it.

Credentials come from the environment or a file, never from the command line, where every process of the machine reads
them: ``NIGHTSHIFT_AIRFLOW_TOKEN``, or ``NIGHTSHIFT_AIRFLOW_USER`` and ``NIGHTSHIFT_AIRFLOW_PASSWORD``, for which
Airflow gives a token (``POST /auth/token``). They are sent to the address that was named and follow no redirect.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self
from urllib.parse import quote, urlsplit

import aiohttp
import typer

from nightshift.cli.terminal import CannotTell
from nightshift.known_secrets import remember

SECONDS = 30.0
PAGE = 100
DEFAULT_URL = "http://localhost:8080"
AirflowUrl = Annotated[
    str,
    typer.Option(
        "--airflow-url",
        help="Root of Airflow's web server.",
        envvar=["NIGHTSHIFT_AIRFLOW_URL", "AIRFLOW__API__BASE_URL"],
        show_default=DEFAULT_URL,
    ),
]
AirflowUser = Annotated[str, typer.Option("--airflow-user", help="Who signs in.", envvar="NIGHTSHIFT_AIRFLOW_USER")]
TokenFile = Annotated[
    Path | None,
    typer.Option("--airflow-token-file", help="A file with an access token.", envvar="NIGHTSHIFT_AIRFLOW_TOKEN_FILE"),
]


class AirflowAway(CannotTell):
    """Airflow cannot be asked."""


class AirflowRefused(CannotTell):
    """Airflow has answered, and said no.

    :param status: of the answer
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Credentials:
    """Who asks: by a token, or by a name and a password; by none where Airflow asks for none."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def found(cls, user: str = "", token_file: Path | None = None) -> Self:
        """Return those of the command line and the environment.

        :raises CannotTell: the file with the token cannot be read
        """
        token, password = (os.environ.get(f"NIGHTSHIFT_AIRFLOW_{name}", "") for name in ("TOKEN", "PASSWORD"))
        if token_file is not None:
            try:
                token = token_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise CannotTell(f"{token_file}: {error.strerror}; give a file with an access token.") from None
        for secret in (token, password):
            if secret:
                remember(secret)
        return cls(user, password, token)


class AirflowApi:
    """A session with one Airflow; use it as an asynchronous context manager.

    :param url: root of the web server, with a path where it has one
    :param who: credentials
    """

    def __init__(self, url: str, who: Credentials) -> None:
        self.url = (url or DEFAULT_URL).rstrip("/")
        try:
            parts = urlsplit(self.url)
            sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            sound = False
        if not sound:
            raise CannotTell(f"{self.url!r} is no address of Airflow; give --airflow-url http://host:port.")
        self._who = who
        self._session: aiohttp.ClientSession | None = None
        self._headers: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        """Sign in.

        :raises AirflowAway: nobody answers
        :raises AirflowRefused: the credentials are refused
        """
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS), trust_env=True)
        try:
            self._headers = {"Authorization": f"Bearer {self._who.token or await self._sign_in()}"}
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the session."""
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, **query: Any) -> Any:
        """Return what is under a path, for instance ``/api/v2/pools``.

        :param query: parameters; a list is a parameter that comes several times, ``None`` one that is left out
        :raises AirflowRefused: any status but 2xx
        """
        return await self.send("GET", path, query=query)

    async def keeping_state(self) -> dict[str, bool]:
        """Return what a clear has to say so that the task state stays: from 3.4 on, Airflow empties it otherwise, and
        before it knows no such word.
        """
        told = str((await self.get("/api/v2/version"))["version"])
        found = re.match(r"(\d+)\.(\d+)", told)
        return {"keep_task_state": True} if found and (int(found[1]), int(found[2])) >= (3, 4) else {}

    async def send(self, method: str, path: str, *, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """Send a request, once, and return the JSON of its answer; ``None`` where it has no body.

        :raises AirflowAway: nobody answers
        :raises AirflowRefused: any status but 2xx
        """
        assert self._session is not None, "used outside of 'async with'"  # noqa: S101 - a mistake in a command
        listed = [(name, one) for name, one in (query or {}).items() if one is not None]
        pairs = [(name, str(one)) for name, found in listed for one in (found if isinstance(found, list) else [found])]
        try:
            async with self._session.request(
                method,
                f"{self.url}{path}",
                params=pairs,
                json=body,
                headers=self._headers,
                allow_redirects=False,
            ) as answer:
                return await self._answer(answer, method, path)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise AirflowAway(
                f"Airflow at {self.url} cannot be asked ({type(error).__name__}: {str(error)[:200]}). What needs the "
                "lake alone works without. Give --airflow-url, or NIGHTSHIFT_AIRFLOW_URL, and look whether it runs."
            ) from None

    async def every(self, path: str, key: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
        """Return the members of a list, page by page, however few Airflow lets a page have (``[api]
        maximum_page_limit``). Where the list changes meanwhile, one may come twice.

        :param key: of the answer, which holds the list
        :raises CannotTell: Airflow says that there are more, and does not give them
        """
        offset, before = 0, 0
        last: list[Any] = []
        while True:
            answer = await self.get(path, **query, limit=PAGE, offset=offset)
            page, total = list(answer[key]), answer.get("total_entries")
            if offset and total is not None and total < before:
                # Those that are gone may have moved others onto the pages that were read.
                offset, before, last = max(offset - (before - total), 0), total, []
                continue
            if not page or page == last:
                break
            for one in page:
                yield one
            offset, before, last = offset + len(page), total or 0, page
            if total is not None and offset >= total:
                return
        if total is not None and offset < total:
            raise CannotTell(
                f"Airflow at {self.url} gives {offset} of {total} {key.replace('_', ' ')} and no more. Look at what "
                "stands between, and into the log of its API server."
            )

    async def _answer(self, answer: aiohttp.ClientResponse, method: str, path: str) -> Any:
        if 200 <= answer.status < 300:
            try:
                return await answer.json() if answer.status != 204 else None
            except (aiohttp.ContentTypeError, ValueError):
                raise AirflowRefused(
                    f"{self.url}{path} answers with no JSON: it is not the root of an Airflow 3. Give --airflow-url.",
                    answer.status,
                ) from None
        told = (await answer.text())[:300] if "json" in answer.content_type else answer.content_type
        advice = {
            401: "Give NIGHTSHIFT_AIRFLOW_TOKEN, or NIGHTSHIFT_AIRFLOW_USER and NIGHTSHIFT_AIRFLOW_PASSWORD.",
            403: "Sign in as somebody who may, or ask for the permission.",
            404: "Look whether it exists, and whether --airflow-url is the root of Airflow.",
        }.get(answer.status, "Look into the log of Airflow's API server.")
        if 300 <= answer.status < 400:
            advice = "It leads elsewhere, where no credentials are sent; give the address that it leads to."
        raise AirflowRefused(
            f"Airflow at {self.url} refuses {method} {path}: {answer.status} {told}. {advice}", answer.status
        )

    async def _sign_in(self) -> str:
        named = bool(self._who.user)
        body = {"username": self._who.user, "password": self._who.password} if named else None
        try:
            found = await self.send("POST" if named else "GET", "/auth/token", body=body)
        except AirflowRefused as error:
            if named and error.status not in (401, 403):
                raise
            who = f"does not let {self._who.user!r} in" if named else "lets nobody in without a name"
            raise AirflowRefused(
                f"Airflow at {self.url} {who} ({error.status}). Give NIGHTSHIFT_AIRFLOW_TOKEN, or "
                "NIGHTSHIFT_AIRFLOW_USER and NIGHTSHIFT_AIRFLOW_PASSWORD.",
                error.status,
            ) from None
        token = str(found["access_token"])
        remember(token)
        return token


def run_path(dag_id: str, run_id: str, task_id: str = "") -> str:
    """Return the path of a run, or of a task in it."""
    path = f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"
    return f"{path}/taskInstances/{quote(task_id, safe='')}" if task_id else path
