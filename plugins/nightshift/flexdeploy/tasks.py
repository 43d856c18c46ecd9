"""What waits for a person or a time: approval tasks and scheduled tasks (FlexDeploy reference, sections 2 and 4.4)."""

from __future__ import annotations

from typing import Any

from nightshift.flexdeploy.api import FlexDeployApi
from nightshift.flexdeploy.fields import identifier
from nightshift.flexdeploy.model import Task
from nightshift.flexdeploy.responses import Row
from nightshift.flexdeploy.routes import Call

_APPROVAL = "/rest/v1/tasks/approval"
_SCHEDULED = "/rest/v1/tasks/scheduled"


class Tasks(FlexDeployApi):
    """Approvals and schedules. Paths that are not published can be named in the extra ``paths``."""

    async def approval_task(self, task_id: Any) -> Row:
        """Return one approval task, as the vendor gives it."""
        return await self.row(f"{_APPROVAL}/{identifier('task_id', task_id)}")

    async def approval_tasks(
        self,
        *,
        workflow_request_id: Any = None,
        folder_request_id: Any = None,
        pipeline_stage_exec_id: Any = None,
        **params: Any,
    ) -> list[Row]:
        """Return approval tasks; without a filter, all of them.

        :param params: further filters, in the vendor's words
        """
        filters = {
            "workflowRequestId": workflow_request_id,
            "folderRequestId": folder_request_id,
            "pipelineStageExecId": pipeline_stage_exec_id,
        }
        checked = {name: None if value is None else identifier(name, value) for name, value in filters.items()}
        return await self.rows(_APPROVAL, {**checked, **params}, "tasks", "approvalTasks")

    async def approve(self, task_id: Any) -> Row:
        """Approve; that it exists is public, its path is assumed to mirror that of a rejection."""
        return await self._decide(Call.APPROVE, task_id)

    async def reject(self, task_id: Any) -> Row:
        """Reject an approval, which ends the workflow request as REJECTED."""
        return await self._decide(Call.REJECT, task_id)

    async def scheduled_task(self, task_id: Any) -> Row:
        """Return one scheduled task, as the vendor gives it."""
        return await self.row(f"{_SCHEDULED}/{identifier('task_id', task_id)}")

    async def scheduled_tasks(self, **params: Any) -> list[Row]:
        """Return scheduled tasks.

        :param params: filters, in the vendor's words; they are not published
        """
        return await self.rows(_SCHEDULED, params, "tasks", "scheduledTasks")

    async def run_scheduled(self, task_id: Any) -> Row:
        """Run a scheduled task now; its path is assumed."""
        return await self._decide(Call.RUN_SCHEDULED, task_id)

    async def cancel_scheduled(self, task_id: Any) -> Row:
        """Cancel a scheduled task, which ends the workflow request as REJECTED; its path is assumed."""
        return await self._decide(Call.CANCEL_SCHEDULED, task_id)

    async def open_approvals(self, request_id: str) -> list[Task]:
        """Return the approvals that a workflow request still waits for; others that come along are left out."""
        return _open(await self.approval_tasks(workflow_request_id=request_id), request_id)

    async def open_schedules(self, request_id: str) -> list[Task]:
        """Return the scheduled tasks of a workflow request; others that come along are left out."""
        return _open(await self.scheduled_tasks(workflowRequestId=request_id), request_id)

    async def _decide(self, call: Call, task_id: Any) -> Row:
        route = self.routes.need(call)
        return await self.change(route.method, route.path(id=identifier("task_id", task_id)), safe=True)


def _open(rows: list[Row], request_id: str) -> list[Task]:
    tasks = (Task.of(row) for row in rows)
    return [task for task in tasks if task is not None and task.request_id == request_id and task.open]
