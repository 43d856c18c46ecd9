"""The DAG of an application: build once, then stage by stage, with a way back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, BaseOperator, PartitionedAssetTimetable, TaskGroup, chain

from nightshift.config.freezes import NO_FREEZES, FreezeRules
from nightshift.config.promotions import Application
from nightshift.config.stages import OnFailure, Stage
from nightshift.config.steps import RUN_LIMIT, UtilityStep
from nightshift.nights.ready import ready_asset
from nightshift.parsing import give_form, render_outputs_only
from nightshift.promotion.approval_operator import PromotionApprovalOperator
from nightshift.promotion.begin_operator import PromotionBeginOperator
from nightshift.promotion.closing_operators import PromotionCloseOperator, RollBackOfferOperator
from nightshift.promotion.form import promotion_form
from nightshift.promotion.job_operators import (
    PromotionBuildOperator,
    PromotionDeployOperator,
    PromotionRollBackOperator,
    PromotionUtilityOperator,
)
from nightshift.promotion.roll_back_approval import RollBackApprovalOperator
from nightshift.promotion.step_operators import PromotionFoldersOperator, PromotionWindowOperator
from nightshift.promotion.terms import Terms, terms_of
from nightshift.promotion.verification_flow import VerificationTasks
from nightshift.retries import VendorRetryPolicy

START = pendulum.datetime(2020, 1, 1, tz="UTC")
SHORT = timedelta(minutes=30)


def dag_id_of(application: str) -> str:
    """Return the id of an application's DAG; what Airflow takes in no id, in a name that is a mistake, becomes
    ``_``.
    """
    return f"promote_{re.sub('[^A-Za-z0-9_.-]', '_', application)[:200]}"


def promotion_dag(name: str, config: Application, freezes: FreezeRules = NO_FREEZES, *, doc_md: str | None) -> DAG:
    """Return the DAG of an application.

    It runs for a night as soon as all reports in ``after`` are published for it, in whatever order that happens: the
    publish that completes the night says so (:mod:`nightshift.nights.ready`). Or when a person starts it with the form.

    :param config: its part of ``promotions.yaml``
    :param freezes: the freezes that count
    :param doc_md: what the UI says about every such DAG
    """
    if freezes.unknown:
        mistake = f"**Nothing is brought to any stage: nobody knows what is frozen.**\n\n```\n{freezes.unknown}\n```"
        doc_md = f"{mistake}\n\n{doc_md or ''}"
    with _empty_dag(name, config, doc_md) as dag:
        _Chain(name, config, freezes).declare()
    render_outputs_only(dag)
    give_form(dag, promotion_form(name, [stage.label for stage in config.stages]))
    return dag


def _empty_dag(name: str, config: Application, doc_md: str | None) -> DAG:
    about = "\n\n".join(
        text
        for text in (
            config.description,
            f"[What runs where](plugin/nightshift?view=promotions&application={name})",
            doc_md,
        )
        if text
    )
    return DAG(
        dag_id_of(name),
        description=config.description or f"Build {config.named}, and promote it through {_arrow(config)}",
        # One asset alone: of several, Airflow would keep each night that got only some of them, for ever.
        schedule=PartitionedAssetTimetable(assets=ready_asset(name)) if config.after else None,
        start_date=START,
        catchup=False,
        # Of these, one is underway; the others wait for their turn without a worker.
        max_active_runs=16,
        dagrun_timeout=RUN_LIMIT,
        default_args=_default_args(config.retries),
        tags=["nightshift", "promotion", "flexdeploy"],
        doc_md=about,
    )


def _default_args(retries: int) -> dict[str, Any]:
    return {
        "owner": "nightshift",
        "retries": retries,
        "retry_delay": timedelta(minutes=1),
        "retry_policy": VendorRetryPolicy(),
        "execution_timeout": SHORT,
    }


def _arrow(config: Application) -> str:
    return " → ".join(stage.label for stage in config.stages)


class _Chain:
    """The tasks of one application, one after the other."""

    def __init__(self, name: str, config: Application, freezes: FreezeRules) -> None:
        self.config = config
        self.freezes = freezes
        self.labels = [stage.label for stage in config.stages]
        self.terms = terms_of(config)
        self.supersedable = config.newer == "supersede"
        self.shared: dict[str, Any] = {"application": name}
        # What was left undone on purpose does not stop what follows; what failed does. Each task asks the record.
        self.step: dict[str, Any] = {**self.shared, "trigger_rule": "none_failed"}
        self.job: dict[str, Any] = {
            "conn_id": config.connection,
            "freezes": freezes,
            "execution_timeout": timedelta(hours=config.deploy_hours),
            "job_timeout": timedelta(hours=config.deploy_hours),
            "waiting_timeout": timedelta(days=config.waiting_days),
        }
        # A check brings nothing to a stage, so that no freeze concerns it; a hold stops it all the same.
        job = {**self.job, "freezes": NO_FREEZES}
        self.checks = VerificationTasks(self.shared, job, next(iter(config.what.values())))

    def declare(self) -> None:
        """Declare all tasks."""
        last: BaseOperator = PromotionBeginOperator(
            task_id="begin",
            doc_md="Read the form, look at the night, wait for the turn, plan.",
            config=self.config,
            **self.shared,
        )
        for task in (self._build(), *(task for stage in self.config.stages for task in self._stage(stage))):
            last >> task
            last = task
        close = PromotionCloseOperator(
            task_id="close",
            doc_md="Say how it ended, and what runs where.",
            stages=self.labels,
            trigger_rule="all_done",
            **self.shared,
        )
        follows = {stage.label: self.config.on_failure_of(stage) for stage in self.config.stages}
        if set(follows.values()) == {"stop"}:
            last >> close
            return
        for end in self._roll_back(last, follows):
            end >> close

    def _build(self) -> BaseOperator:
        build = self.config.build
        return PromotionBuildOperator(
            task_id="build",
            doc_md="Build a version; no stage gets another one.",
            unchanged=build.unchanged,
            supersedable=self.supersedable,
            parameters={**self.config.what, **self.config.on_stream, **build.where, **build.parameters},
            **self.job,
            **self.step,
        )

    def _stage(self, stage: Stage) -> list[BaseOperator]:
        at: dict[str, Any] = {"stage": stage.label, "terms": self.terms[stage.label], **self.step}
        tasks: list[BaseOperator] = []
        with TaskGroup(stage.label, tooltip=f"Stage {stage.label}"):
            if stage.approval is not None:
                tasks.append(
                    PromotionApprovalOperator(
                        task_id="approve",
                        doc_md="Ask a person.",
                        stages=self.labels,
                        supersedable=self.supersedable,
                        **stage.approval.model_dump(),
                        **at,
                    )
                )
            if stage.window is not None and stage.window.outside == "wait":
                tasks.append(
                    PromotionWindowOperator(
                        task_id="window",
                        doc_md="Wait for the window.",
                        window=stage.window,
                        supersedable=self.supersedable,
                        freezes=self.freezes,
                        **at,
                    )
                )
            tasks += [self._utility(stage, step, supersedable=number == 0) for number, step in enumerate(stage.before)]
            tasks.append(
                PromotionDeployOperator(
                    task_id="deploy",
                    doc_md="Deploy the version, and wait for it.",
                    # Between a utility run and its deployment nothing gives way: what was stopped has to be started
                    # again.
                    supersedable=self.supersedable and not stage.before,
                    parameters=self._deployment(stage),
                    packages=self.config.packages,
                    window=stage.window,
                    **self.job,
                    **at,
                )
            )
            tasks += [self._utility(stage, step, supersedable=False) for step in stage.after]
            tasks += self.checks.of_stage(stage, at)
            if stage.exago is not None:
                tasks.append(
                    PromotionFoldersOperator(
                        task_id="exago",
                        doc_md="Make the candidate folder the live one.",
                        parameters={
                            "exago_conn_id": stage.exago.connection,
                            **stage.exago.model_dump(exclude={"connection"}),
                        },
                        freezes=self.freezes,
                        **at,
                    )
                )
        return tasks

    def _utility(self, stage: Stage, step: UtilityStep, *, supersedable: bool) -> BaseOperator:
        return PromotionUtilityOperator(
            task_id=step.name,
            doc_md=f"Run {step.name}.",
            stage=stage.label,
            supersedable=supersedable and self.supersedable,
            terms=self.terms[stage.label],
            parameters={**step.what, **(step.where or stage.where), **step.parameters},
            **self.job,
            **self.step,
        )

    def _deployment(self, stage: Stage) -> dict[str, Any]:
        return {**self.config.what, **stage.where, **stage.parameters}

    def _roll_back(self, last: BaseOperator, follows: Mapping[str, OnFailure]) -> list[BaseOperator]:
        approval = self.config.roll_back.approval if self.config.roll_back is not None else None
        with TaskGroup("roll_back", tooltip="The way back, where a stage fails"):
            offer = RollBackOfferOperator(
                task_id="offer",
                doc_md="Say what could be brought back.",
                conn_id=self.config.connection,
                on_failure=follows,
                terms=self.terms,
                trigger_rule="all_done",
                **self.shared,
            )
            approve = RollBackApprovalOperator(
                task_id="approve",
                doc_md="Ask a person, where the configuration has not said that it is brought back.",
                stages=self.labels,
                ways=self._ways_back(),
                approvers={stage.label: self.config.users_back(stage) for stage in self.config.stages},
                **(approval.model_dump() if approval else {}),
                **self.shared,
            )
            deploy = PromotionRollBackOperator(
                task_id="deploy",
                doc_md="Deploy the version from before again.",
                ways=self._ways_back(),
                stages={stage.label: self._deployment(stage) for stage in self.config.stages},
                packages=self.config.packages,
                **self.job,
                **self.shared,
            )
            last >> offer >> approve >> deploy
            back = [stage for stage in self.config.stages if follows[stage.label] != "stop"]
            branches = self.checks.of_roll_backs(back)
        for branch in branches:
            chain(deploy, *branch)
        return [deploy, *(branch[-1] for branch in branches)]

    def _ways_back(self) -> dict[str, Terms]:
        """Return stage → the terms of a roll-back of it."""
        return {label: terms.only(label) for label, terms in self.terms.items()}
