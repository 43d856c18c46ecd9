"""The button that opens a task's workflow request in FlexDeploy."""

from __future__ import annotations

from nightshift.jobs.links import JobLink


class WorkflowRequestLink(JobLink):
    """Opens the workflow request; of several, the one that failed, else the first that is not done.

    The address is that of the extra ``request_page`` of the connection.
    """

    name = "FlexDeploy workflow request"
