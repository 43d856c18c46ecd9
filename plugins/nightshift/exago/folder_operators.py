"""Folders that are declared, renamed, deleted: the plan is shown first, and every change is seen in the tree."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import msgspec
from airflow.sdk import BaseAsyncOperator, Context

from nightshift.errors import Rejected
from nightshift.exago.claims import Claims
from nightshift.exago.execution import LIST_LAG, SEND_SECONDS, carry_out
from nightshift.exago.paths import DEFAULT_CONN, VENDOR, ContentPath
from nightshift.exago.steps import Mark, Standing, Step, StepKind, read_step
from nightshift.exago.tree import Tree
from nightshift.http.timely import Window
from nightshift.nights.place import lake_of_this_deployment

PLAN_KEY = "deletions"


class Deletions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an attempt has planned to delete, so that a retry deletes no more.

    :param folder: the folder that the task is about
    :param max_tries: Airflow's ``max_tries`` of that attempt; a clear raises it
    :param ids: path → id of the folder where the server has ids, the innermost first
    """

    folder: str
    max_tries: int
    ids: dict[str, str | None]


class ExagoFolderOperator(BaseAsyncOperator):
    """Change folders by a plan that is made from the tree, shown, and carried out step by step.

    Every user of the server sees each step at once, and nothing of it ends with the session. Running it again does what
    is still missing. Returns ``{"plan": […], "done": […]}``.

    :param dry_run: show the plan and change nothing (templated)
    :param list_lag: seconds that the server's list may be old
    :param exago_conn_id: id of the Airflow connection
    """

    ui_color = "#f5e6dc"
    template_fields: Sequence[str] = ("dry_run",)

    def __init__(
        self,
        *,
        dry_run: Any = False,
        list_lag: float = LIST_LAG,
        exago_conn_id: str = DEFAULT_CONN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Takes the place of Airflow's method of that name, which only renders templates and which nothing here calls.
        self.dry_run = dry_run
        self.list_lag = list_lag
        self.exago_conn_id = exago_conn_id

    async def aexecute(self, context: Context) -> dict[str, Any]:
        """Plan, show, and carry out."""
        from nightshift.exago.hook import ExagoHook

        async with ExagoHook(self.exago_conn_id) as hook:
            window = Window(SEND_SECONDS)
            tree = await hook.tree()
            steps = self.steps(tree, context)
            self._show(steps)
            done: list[Step] = []
            if steps and not is_true(self.dry_run):
                claims = Claims(lake_of_this_deployment(), hook.base_url)
                await claims.refuse_others([end for step in steps for end in ends_of(step)])
                for step in steps:
                    mark = Mark.of(tree, step.source) if step.kind is StepKind.MOVE else None
                    await carry_out(hook, step, mark=mark, lag=self.list_lag, log=self.log, window=window)
                    window = Window(SEND_SECONDS)
                    done.append(step)
        self.ended(context)
        return {"plan": [str(step) for step in steps], "done": [str(step) for step in done]}

    def steps(self, tree: Tree, context: Context) -> list[Step]:
        """Return what this attempt does: the plan of now, or what is left of the plan that an attempt before it has made."""
        return self.plan(tree)

    def ended(self, context: Context) -> None:
        """Forget what was kept for a next attempt."""

    @abstractmethod
    def plan(self, tree: Tree) -> list[Step]:
        """Return the steps that are missing; refuse here, before anything is changed.

        :raises Rejected: it cannot or must not be done
        """

    def _show(self, steps: Sequence[Step]) -> None:
        if not steps:
            self.log.info("Nothing to do: the tree is as it is wanted")
            return
        head = "Plan, not carried out (dry_run)" if is_true(self.dry_run) else "Plan"
        self.log.info("%s:\n%s", head, "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1)))


class ExagoEnsureFoldersOperator(ExagoFolderOperator):
    """Make the folders of a declared set that are missing, with the folders above them; nothing is ever removed.

    :param folders: paths from the root (templated)
    """

    template_fields: Sequence[str] = (*ExagoFolderOperator.template_fields, "folders")

    def __init__(self, *, folders: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folders = list(folders)

    def plan(self, tree: Tree) -> list[Step]:
        """Return what is missing, parents first."""
        wanted = {path for text in self.folders for whole in (ContentPath.parse(text),) for path in (*whole.ancestors, whole)}  # fmt: skip
        missing = sorted(path for path in wanted if tree.folder(path) is None)
        steps = [Step(StepKind.CREATE, str(path)) for path in missing]
        problems = [f"a folder {path} at the root cannot be made by REST" for path in missing if path.is_reserved]
        problems += blocked(steps, tree)
        if problems:
            raise refused("; ".join(problems), "Give the role the right to write there, or declare other folders.")
        return steps


class ExagoRenameFolderOperator(ExagoFolderOperator):
    """Rename or move a folder with all that is in it. Where it is done already, nothing happens.

    :param folder: path of the folder (templated)
    :param to: new path: new parent and new name (templated)
    """

    template_fields: Sequence[str] = (*ExagoFolderOperator.template_fields, "folder", "to")

    def __init__(self, *, folder: str, to: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self.to = to

    def plan(self, tree: Tree) -> list[Step]:
        """Return the move, or nothing where it is done."""
        old, new = ContentPath.parse(self.folder), ContentPath.parse(self.to)
        if old.overlaps(new) and old != new:
            raise refused(f"{old} and {new} are one inside the other", "Move it by way of a third folder.")
        if old == new:
            return []
        step = Step(StepKind.MOVE, str(old), str(new))
        reading = read_step(step, tree)
        if reading.standing is Standing.BLOCKED:
            raise refused(reading.why, "Look at the tree in Exago; somebody else may have changed it.")
        return [step] if reading.standing is Standing.TO_DO else []


class ExagoDeleteFolderOperator(ExagoFolderOperator):
    """Delete a folder that is empty; with ``with_folders``, also one that holds nothing but folders, from the innermost.

    Only a folder that is declared ours, or is inside of one, is deleted, and never one that is read-only. Reports cannot
    be deleted by REST, so a folder with a report in it stays. A folder that is gone already is no error.

    :param folder: path of the folder (templated)
    :param declared: paths of the folders that are ours
    :param with_folders: delete the folders inside as well
    """

    template_fields: Sequence[str] = (*ExagoFolderOperator.template_fields, "folder")

    def __init__(self, *, folder: str, declared: Sequence[str], with_folders: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self.declared = list(declared)
        self.with_folders = with_folders

    def steps(self, tree: Tree, context: Context) -> list[Step]:
        """Return the deletions of the first attempt's plan that are still to be done; a clear plans anew.

        :raises Rejected: somebody has put something into a folder since it was planned to be deleted, or replaced it
        """
        store, tries = context["task_state_store"], context["ti"].max_tries
        stored = store.get(PLAN_KEY, None)
        kept = msgspec.convert(stored, Deletions) if stored is not None else None
        if kept is None or kept.folder != self.folder or kept.max_tries < tries:
            steps = self.plan(tree)
            ids = {step.path: entry.content_id for step in steps if (entry := tree.folder(step.source)) is not None}
            if steps and not is_true(self.dry_run):
                store.set(PLAN_KEY, msgspec.to_builtins(Deletions(self.folder, tries, ids)))
            return steps
        self.log.info("Going on with the plan of an attempt before: %s", ", ".join(kept.ids))
        left = [path for path in kept.ids if tree.folder(ContentPath.parse(path)) is not None]
        if problems := _not_planned(kept, left, tree):
            raise Rejected(
                "; ".join(problems), vendor=VENDOR,
                advice="A retry deletes what was planned and nothing else. Look at the tree in Exago; clearing the task plans anew.",
            )  # fmt: skip
        return [Step(StepKind.DELETE, path) for path in left]

    def ended(self, context: Context) -> None:
        """Forget the plan."""
        context["task_state_store"].delete(PLAN_KEY)

    def plan(self, tree: Tree) -> list[Step]:
        """Return the deletions, the innermost first."""
        path = ContentPath.parse(self.folder)
        if not any(path.is_in(ContentPath.parse(ours)) for ours in self.declared):
            raise refused(f"{path} is not declared ours", "Add it to the declared folders if it is ours to delete.")
        entry = tree.folder(path)
        if entry is None:
            return []
        inside = tree.inside(path)
        if reports := [str(one.path) for one in inside if one.is_report]:
            raise refused(
                f"{path} holds {len(reports)} reports, the first is {reports[0]}",
                "Reports cannot be deleted by REST: remove them in Exago first.",
            )
        if inside and not self.with_folders:
            raise refused(f"{path} is not empty: it holds {len(inside)} folders", "Set with_folders to delete them too.")  # fmt: skip
        if closed := [str(one.path) for one in (entry, *inside) if one.read_only]:
            raise refused(f"{closed[0]} is read-only", "A folder that is read-only is never deleted.")
        doomed = sorted((one.path for one in (entry, *inside)), key=lambda one: (-len(one.levels), one))
        return [Step(StepKind.DELETE, str(one)) for one in doomed]


def _not_planned(kept: Deletions, left: Sequence[str], tree: Tree) -> list[str]:
    """Say what is otherwise than when the deletions were planned: what has come into a folder, or taken its place."""
    found = []
    for path in left:
        entry = tree.folder(ContentPath.parse(path))
        here, planned = entry.content_id if entry else None, kept.ids[path]
        if None not in (here, planned) and here != planned:
            found.append(f"another folder is at {path} than the one that was to be deleted")
        new = [
            str(one.path)
            for one in tree.inside(ContentPath.parse(path))
            if one.is_report or str(one.path) not in kept.ids
        ]
        if new:
            found.append(f"{new[0]} has come into {path} since it was planned to be deleted")
    return found


def is_true(given: Any) -> bool:
    """Read a templated switch: a bool, or the text of one."""
    return given if isinstance(given, bool) else str(given).strip().lower() in ("true", "1", "yes")


def ends_of(step: Step) -> tuple[ContentPath, ...]:
    """Return the folders that a step touches."""
    return (step.source, step.target) if step.to else (step.source,)


def blocked(steps: Sequence[Step], tree: Tree) -> list[str]:
    """Return why steps cannot be done on this tree."""
    readings = [read_step(step, tree) for step in steps]
    return [reading.why for reading in readings if reading.standing is Standing.BLOCKED]


def refused(problem: str, advice: str) -> Rejected:
    """Return the error for a plan that is not carried out."""
    return Rejected(problem, vendor=VENDOR, advice=f"Nothing was changed. {advice}")
