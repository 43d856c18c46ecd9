"""Export requests and their life: ``Requested`` → ``Download`` or ``Error`` (reference 3.3, 4.1).

The state of an export is a function of the time at which it is looked at; nothing runs in the background.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from include.standins.draw import Draw
from include.standins.tokenflex.asked import Asked
from include.standins.tokenflex.contracts import Contract
from include.standins.tokenflex.files import ExportFile
from include.standins.tokenflex.signing import Signer
from include.standins.tokenflex.switches import QueueScope, Stamps, TokenFlexSwitches


def stamped(at: datetime, style: Stamps, *, expiry: bool = False) -> str:
    """Write a time stamp.

    The documented examples have 6, 5 or 3 fraction digits, as if zeros at the end were cut off, and one expiry has no
    ``Z``: here, by the microsecond, a third of the stamps is cut to milliseconds and every other expiry loses its zone.

    :param at: an aware time
    :param style: the switch
    :param expiry: ``downloadUrlExpireDate``
    """
    plain = at.astimezone(UTC).replace(tzinfo=None)
    match style:
        case Stamps.REGULAR:
            return f"{plain.isoformat(timespec='microseconds')}Z"
        case Stamps.NO_ZONE:
            return plain.isoformat(timespec="microseconds")
        case Stamps.OFFSET:
            return f"{plain.isoformat(timespec='milliseconds')}+00:00"
        case Stamps.SECONDS:
            return f"{plain.isoformat(timespec='seconds')}Z"
        case Stamps.IRREGULAR:
            text = plain.isoformat(timespec="milliseconds" if plain.microsecond % 3 == 1 else "microseconds")
            head, _, fraction = text.partition(".")
            zone = "" if expiry and plain.microsecond % 2 else "Z"
            return f"{head}.{fraction.rstrip('0').ljust(3, '0')}{zone}"


def moment(text: str) -> datetime:
    """Read a date or a time stamp of a query parameter; no zone is UTC.

    :raises ValueError: neither
    """
    at = datetime.fromisoformat(text.strip())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


NEVER: Final = 10 * 365 * 86400.0


class Status(StrEnum):
    """The documented values of ``requestStatus``."""

    REQUESTED = "Requested"
    DOWNLOAD = "Download"
    ERROR = "Error"


@dataclass
class Export:
    """One export request.

    :param key: ``<UTC time stamp>#<uuid>``
    :param made: when it was accepted
    :param ready: when it is done, well or not
    :param fails: how many runs still end in ``Error``
    :param listed: from when on the list has it
    :param url_number: the stamp in the newest URL, in milliseconds; ``dead_number``: URLs up to it were ended by a
        fault
    :param generation: counts the files that were made; ``renewed``: the newest has what had arrived when it was made
    :param status_word: shown instead of a status that the vendor documents; ``None`` is shown as null
    """

    key: str
    uuid: str
    user: str
    contract: Contract
    asked: Asked
    made: datetime
    ready: datetime
    fails: int = 0
    listed: datetime | None = None
    schedule: str = ""
    status_word: str | None = ""
    url: str = ""
    url_ends: datetime | None = None
    url_number: int = 0
    dead_number: int = 0
    generation: int = 1
    renewed: bool = False
    file: ExportFile | None = field(default=None, repr=False)

    def replace(self) -> None:
        """Let the file be made anew, with another ETag and what has arrived since."""
        self.generation += 1
        self.renewed, self.file = True, None

    def status(self, now: datetime) -> Status:
        if now < self.ready:
            return Status.REQUESTED
        return Status.ERROR if self.fails else Status.DOWNLOAD


class Exports:
    """All export requests.

    :param seed: of the stand-in; keys are drawn from it
    :param signer: signs the download URLs
    """

    def __init__(self, seed: int, signer: Signer) -> None:
        self._draw = Draw(seed, "tokenflex", "exports")
        self._signer = signer
        self._exports: dict[str, Export] = {}
        self._by_uuid: dict[str, Export] = {}

    def add(
        self,
        asked: Asked,
        *,
        user: str,
        contract: Contract,
        now: datetime,
        switches: TokenFlexSwitches,
        schedule: str = "",
    ) -> Export:
        uuid = self._draw.uuid()
        export = Export(
            key=f"{now:%Y-%m-%dT%H:%M:%S}#{uuid}",
            uuid=uuid,
            user=user,
            contract=contract,
            asked=asked,
            made=now,
            ready=now + timedelta(seconds=switches.processing_seconds),
            listed=now + timedelta(seconds=switches.list_late_seconds),
            schedule=schedule,
        )
        self._exports[export.key] = self._by_uuid[uuid] = export
        return export

    def retry(self, export: Export, now: datetime, switches: TokenFlexSwitches) -> None:
        """Run an export in ``Error`` once more."""
        export.fails -= 1
        export.ready = now + timedelta(seconds=switches.processing_seconds)
        export.url, export.file, export.renewed = "", None, False
        export.generation += 1

    def remove(self, export: Export) -> None:
        self._exports.pop(export.key, None)
        self._by_uuid.pop(export.uuid, None)

    def all(self) -> list[Export]:
        """Return the exports that are there, oldest first."""
        return list(self._exports.values())

    def get(self, contract: Contract, key: str) -> Export | None:
        export = self._exports.get(key)
        return export if export and export.contract == contract else None

    def of_file(self, name: str) -> Export | None:
        return self._by_uuid.get(name.partition("_")[0])

    def pending(self, user: str, contract: Contract, now: datetime, scope: QueueScope) -> int:
        """Count the exports in ``Requested`` that stand in the same queue."""
        return sum(
            export.status(now) is Status.REQUESTED
            and (scope is QueueScope.CONTRACT or export.user == user)
            and (scope is QueueScope.USER or export.contract == contract)
            for export in self._exports.values()
        )

    def listed(self, contract: Contract, begins: datetime, ends: datetime, now: datetime) -> Iterator[Export]:
        """Give the exports of a list that were made from ``begins`` on and before ``ends``, newest first."""
        for export in reversed(self.all()):
            seen = export.listed is None or export.listed <= now
            if export.contract == contract and begins <= export.made < ends and seen:
                yield export

    def new_url(self, export: Export, host: str, begins: datetime, switches: TokenFlexSwitches) -> None:
        """Give an export a new download URL; the ones before live on until they expire."""
        export.url_ends = begins + timedelta(seconds=switches.url_seconds)
        export.url_number = max(int(begins.timestamp() * 1000), export.url_number + 1)
        path = f"/{export.uuid}_{export.url_number}.csv"
        export.url = f"{host}{self._signer.signed(path, begins, switches.url_seconds)}"

    def shown(self, export: Export, host: str, now: datetime, switches: TokenFlexSwitches) -> dict[str, Any]:
        """Return an export as the API shows it.

        :param host: scheme, host and port of the download host
        """
        status = export.status(now)
        value: dict[str, Any] = {
            "requestKey": export.key,
            "requestStatus": None if export.status_word is None else export.status_word or status.value,
            "downloadFileName": export.asked.file_name,
        }
        if status is Status.DOWNLOAD and not export.status_word:
            if not export.url:
                self.new_url(export, host, export.ready, switches)
            ends = export.url_ends or now
            value["downloadUrl"] = export.url
            value["downloadUrlExpireDate"] = stamped(ends, switches.stamps, expiry=True)
        value["exportRequestDate"] = stamped(export.made, switches.stamps)
        if export.schedule:
            value["scheduleId"] = export.schedule
        if status is not Status.REQUESTED:
            value["readFlag"] = "N"
        return value
