"""Every mistake that a person can make in ``promotions.yaml``, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightshift.config.promotions import read_applications
from nightshift.settings import ConfigError

REPORTS = "flexnet: {reports: [{name: entitlement}, {name: device}]}\nexago:\n"
# The text that replaces a line of this, the line that is told, and what is told.
SOUND = """\
portal:
  project: Licensing/Portal
  stream: main
  build:
    environment: DEV
  stages:
    - environment: TEST
      window: {timezone: Europe/Berlin, opens: "22:00", closes: "04:00"}
      after:
        - {name: restart, project: Ops/Restart}
      exago: {live: Sales/Live, candidate: Sales/New, archive: Sales/Old}
    - environment: PROD
      approval: {hours: 24}
  after: [flexnet/entitlement]
"""
WINDOW = '      window: {timezone: Europe/Berlin, opens: "22:00", closes: "04:00"}'
STEP = "        - {name: restart, project: Ops/Restart}"
EXAGO = "      exago: {live: Sales/Live, candidate: Sales/New, archive: Sales/Old}"
APPROVAL = "      approval: {hours: 24}"
AFTER = "  after: [flexnet/entitlement]"
PROJECT = "  project: Licensing/Portal"
STREAM = "  stream: main"
BUILD = "    environment: DEV"
STAGE = "    - environment: TEST"
ID = "an id is a whole number above 0; a name is not an id"
LIST = "must be a list, a line with '- ' for each"
FIELDS = "must be names with their values, 'name: value' a line"
NAME = "a name has letters, digits, '_' and '-' only, at most 100, and starts with a letter or digit"
NO_VALUE = 'has no value; give one ("" is an empty one) or leave it out (found None)'
NO_REPORT = "is not a report that reports.yaml configures"
STEP_TAKEN = "is the name of the stage's own task; give the step another name"
TOO_EARLY = (
    "before does not go with window.outside: start_time: FlexDeploy waits with the deployment only, and the steps "
    "would run before the window; use outside: wait"
)
ONE = "portal.stages[0]"

MISTAKES = [
    # What the application is.
    (PROJECT, "", ":1: portal: needs project or project_id"),
    (PROJECT, f"{PROJECT}\n  project_id: 7", ":1: portal: has project and project_id; keep one of them"),
    (
        PROJECT,
        "  project: Licensing/",
        ":2: portal.project: is not the path of a project; give folders and name, such as "
        "Licensing/Portal/LicensePortal",
    ),
    (PROJECT, '  project: ""', ":2: portal.project: is blank; leave it out where nothing is meant"),
    (PROJECT, "  project: [a]", ":2: portal.project: must be one text (found ['a'])"),
    (PROJECT, "  project_id: LicensePortal", f":2: portal.project_id: {ID} (found 'LicensePortal')"),
    (PROJECT, "  project_id: 0", f":2: portal.project_id: {ID} (found 0)"),
    (PROJECT, "  project_id: true", f":2: portal.project_id: {ID} (found true)"),
    (PROJECT, "  projct: a/b", ":2: portal.projct: unknown field; did you mean 'project'?"),
    (STREAM, "", ":1: portal: needs stream or stream_id"),
    (STREAM, f"{STREAM}\n  stream_id: 7", ":1: portal: has stream and stream_id; keep one of them"),
    (
        STREAM,
        "  stream: None",
        ":3: portal.stream: is the word None, which YAML takes for a text; leave it out where nothing is meant (found "
        "'None')",
    ),
    (
        STREAM,
        "  stream: main\n  newer: supersed",
        ":4: portal.newer: 'supersed' is not valid; did you mean 'supersede'?",
    ),
    (
        STREAM,
        "  stream: main\n  republished: again",
        ":4: portal.republished: 'again' is not valid; valid: promote, skip",
    ),
    (STREAM, "  stream: main\n  older: no", ":4: portal.older: 'no' is not valid; valid: promote, skip"),
    (
        STREAM,
        "  stream: main\n  retries: 0",
        ":4: portal.retries: input should be greater than or equal to 1 (found 0)",
    ),
    (STREAM, "  stream: main\n  deploy_hours: 0", ":4: portal.deploy_hours: input should be greater than 0 (found 0)"),
    (
        STREAM,
        "  stream: main\n  deploy_hours: .inf",
        ":4: portal.deploy_hours: input should be a valid number, unable to parse string as a number (found '.inf')",
    ),
    (
        STREAM,
        "  stream: main\n  deploy_hours: 9000",
        ":4: portal.deploy_hours: input should be less than or equal to 8784 (found 9000)",
    ),
    (
        STREAM,
        "  stream: main\n  waiting_days: week",
        ":4: portal.waiting_days: input should be a valid number, unable to parse string as a number (found 'week')",
    ),
    (STREAM, "  stream: main\n  connection:", f":4: portal.connection: {NO_VALUE}"),
    (
        STREAM,
        "  stream: main\n  roll_back: off",
        ":4: portal.roll_back: write roll_back: null for no offer to roll back, or leave it out for one (found 'off')",
    ),
    (STREAM, "  stream: main\n  roll_back: {approval: }", f":4: portal.roll_back.approval: {FIELDS} (found None)"),
    (STREAM, "  stream: main\n  roll_back: {hours: 3}", ":4: portal.roll_back.hours: unknown field"),
    (
        STREAM,
        "  stream: main\n  roll_back: {approval: {hour: 3}}",
        ":4: portal.roll_back.approval.hour: unknown field; did you mean 'hours'?",
    ),
    (STREAM, "  stream: main\n  packages: PKG", f":4: portal.packages: {LIST} (found 'PKG')"),
    (STREAM, "  stream: main\n  packages: [PKG]", f":4: portal.packages[0]: {FIELDS} (found 'PKG')"),
    (STREAM, "  stream: main\n  packages: [{name: A}, {name: A}]", ":4: portal.packages: package 'A' is listed twice"),
    (
        STREAM,
        "  stream: main\n  packages: [{name: A, priority: -1}]",
        ":4: portal.packages[0].priority: input should be greater than or equal to 0 (found -1)",
    ),
    (STREAM, "  stream: main\n  packages: [{name: A, version: '1'}]", ":4: portal.packages[0].version: unknown field"),
    # After which reports.
    (AFTER, "  after: flexnet/entitlement", f":14: portal.after: {LIST} (found 'flexnet/entitlement')"),
    (
        AFTER,
        "  after: [entitlement]",
        ":14: portal.after[0]: must be <source>/<report>, such as flexnet/entitlement (found 'entitlement')",
    ),
    (AFTER, "  after: [flexnet/a/b]", ":14: portal.after[0]: must be <source>/<report>"),
    (
        AFTER,
        "  after:\n    - exago/tree\n    - flexnt/device",
        ":16: portal.after[1]: 'flexnt' is not a source of reports; did you mean 'flexnet'?",
    ),
    (
        AFTER,
        "  after:\n    - exago/tree\n    - flexnet/entitlment",
        f":16: portal.after[1]: {NO_REPORT}; did you mean 'flexnet/entitlement'? (found 'flexnet/entitlment')",
    ),
    (
        AFTER,
        "  after: [tokenflex/q]",
        f":14: portal.after[0]: {NO_REPORT}; valid: exago/tree, exago/tree_changes, flexnet/device, "
        "flexnet/entitlement",
    ),
    (AFTER, "  after: [exago/tree, exago/tree]", ":14: portal.after: report 'exago/tree' is listed twice"),
    # How it is built.
    (BUILD, "    force: true", ":4: portal.build: needs environment or environment_id"),
    (
        BUILD,
        f"{BUILD}\n    environment_id: 3",
        ":4: portal.build: has environment and environment_id; keep one of them",
    ),
    (
        BUILD,
        f"{BUILD}\n    force: maybe",
        ":6: portal.build.force: input should be a valid boolean, unable to interpret input (found 'maybe')",
    ),
    (BUILD, f"{BUILD}\n    inputs: [{{code: A, value: b}}]", f":6: portal.build.inputs: {FIELDS}"),
    (BUILD, f"{BUILD}\n    inputs:\n      A:", f":7: portal.build.inputs.A: {NO_VALUE}"),
    (
        BUILD,
        f"{BUILD}\n    flex_fields:\n      A: [b]",
        ":7: portal.build.flex_fields.A: must be one text (found ['b'])",
    ),
    (
        BUILD,
        f"{BUILD}\n    inputs:\n      A: b\n      A: c",
        ":8: portal.build.inputs.A: given twice, first in line 7; keep one",
    ),
    (BUILD, f"{BUILD}\n    related_tickets: ABC-1", f":6: portal.build.related_tickets: {LIST} (found 'ABC-1')"),
    (BUILD, f"{BUILD}\n    project_files: [/a]", f":6: portal.build.project_files[0]: {FIELDS} (found '/a')"),
    (
        BUILD,
        f"{BUILD}\n    project_files: [{{path: /a, revision: HEAD}}]",
        f":6: portal.build.project_files[0].revision: {ID} (found 'HEAD')",
    ),
    (BUILD, f"{BUILD}\n    project_files: [{{path: /a}}, {{path: /a}}]", ":4: portal.build: file '/a' is listed twice"),
    (
        BUILD,
        f"{BUILD}\n    unchanged: last",
        ":6: portal.build.unchanged: 'last' is not valid; did you mean 'last_built'?",
    ),
    ("  build:\n    environment: DEV", "  build: DEV", f":4: portal.build: {FIELDS} (found 'DEV')"),
    ("  build:\n    environment: DEV", "", ":1: portal.build: is missing; add it"),
    # A stage.
    (STAGE, "    - force: true", f":7: {ONE}: needs environment or environment_id"),
    (STAGE, f"{STAGE}\n      environment_id: 3", f":7: {ONE}: has environment and environment_id; keep one of them"),
    (STAGE, "    - environment_id: TEST", f":7: {ONE}.environment_id: {ID} (found 'TEST')"),
    (STAGE, "    - environment: UAT 2", f":7: {ONE}: 'UAT 2' cannot be a task id ({NAME}); give the stage a name"),
    (STAGE, f"{STAGE}\n      name: a.b", f":8: {ONE}.name: {NAME} (found 'a.b')"),
    *[
        (
            STAGE,
            f"{STAGE}\n      name: {taken}",
            f":7: {ONE}: '{taken}' is a task of the promotion itself; give the stage another name",
        )
        for taken in ("build", "begin", "close", "roll_back")
    ],
    (STAGE, f"{STAGE}\n      name: PROD", ":6: portal.stages: stage 'PROD' is listed twice"),
    (STAGE, "    - environment: PROD\n      name: a", ":6: portal.stages: environment 'PROD' is listed twice"),
    (STAGE, f"{STAGE}\n      instance_ids: 7", f":8: {ONE}.instance_ids: {LIST} (found 7)"),
    (STAGE, f"{STAGE}\n      instance_ids: [APP]", f":8: {ONE}.instance_ids[0]: {ID} (found 'APP')"),
    (STAGE, f"{STAGE}\n      instance_ids: [7, 7]", f":8: {ONE}.instance_ids: instance '7' is listed twice"),
    (STAGE, f"{STAGE}\n      aproval: {{}}", f":8: {ONE}.aproval: unknown field; did you mean 'approval'?"),
    (STREAM, "  stream: main\n  stages: []", "given twice"),
    # Approvals.
    (
        APPROVAL,
        "      approval: {users: [ann], at_least: 2}",
        ":13: portal.stages[1].approval: at_least asks for 2 people, and users names 1; name more",
    ),
    (
        APPROVAL,
        "      approval: {at_least: 2, on_timeout: approve}",
        ":13: portal.stages[1].approval: on_timeout: approve would go on with too few; use reject or fail",
    ),
    (
        APPROVAL,
        "      approval: {not_requester: true, on_timeout: approve}",
        ":13: portal.stages[1].approval: on_timeout: approve would go on with too few; use reject or fail",
    ),
    (
        APPROVAL,
        "      approval: {at_least: 0}",
        ":13: portal.stages[1].approval.at_least: input should be greater than or equal to 1 (found 0)",
    ),
    (
        APPROVAL,
        "      approval: {remind: 4}",
        ":13: portal.stages[1].approval.remind: must be a length of time: a whole number of s, m, h or d, such as 30s, "
        "10m, 4h or 2d (found 4)",
    ),
    (
        APPROVAL,
        "      approval:",
        ":13: portal.stages[1].approval: write approval: {} for one by anybody who may, or leave it out for none "
        "(found None)",
    ),
    (
        APPROVAL,
        "      approval: yes",
        ":13: portal.stages[1].approval: write approval: {} for one by anybody who may, or leave it out for none "
        "(found 'yes')",
    ),
    (APPROVAL, "      approval: ada", f":13: portal.stages[1].approval: {FIELDS} (found 'ada')"),
    (
        APPROVAL,
        "      approval: {hours: 0}",
        ":13: portal.stages[1].approval.hours: input should be greater than 0 (found 0)",
    ),
    (APPROVAL, "      approval: {users: ada}", f":13: portal.stages[1].approval.users: {LIST} (found 'ada')"),
    (APPROVAL, "      approval: {users: [a, a]}", ":13: portal.stages[1].approval.users: user 'a' is listed twice"),
    (
        APPROVAL,
        "      approval: {on_timeout: aprove}",
        ":13: portal.stages[1].approval.on_timeout: 'aprove' is not valid; did you mean 'approve'?",
    ),
    # Windows.
    (WINDOW, "      window:", f":8: {ONE}.window: has nothing in it; fill it, or leave it out (found None)"),
    (WINDOW, "      window: 22:00-04:00", f":8: {ONE}.window: {FIELDS} (found '22:00-04:00')"),
    *[
        ('opens: "22:00"', f"opens: {bad}", f":8: {ONE}.window.opens: must be a time of the day, such as 22:00")
        for bad in ("22", "2200", "10 pm", '"22:60"', "2026-11-21", "22:00:00", "-1:30")
    ],
    ('closes: "04:00"', 'closes: "24:00"', f":8: {ONE}.window.closes: midnight is 00:00 (found '24:00')"),
    (
        'closes: "04:00"',
        'closes: "22:00"',
        f":8: {ONE}.window: opens and closes are both 22:00; leave the window out for a stage that is open at any time",
    ),
    (', closes: "04:00"', "", f":8: {ONE}.window.closes: is missing; add it"),
    ("timezone: Europe/Berlin, ", "", f":8: {ONE}.window.timezone: is missing; add it"),
    (
        "Europe/Berlin",
        "Europe/Berln",
        f":8: {ONE}.window.timezone: is not the name of a time zone; did you mean 'Europe/Berlin'? (found "
        "'Europe/Berln')",
    ),
    ("Europe/Berlin", "../Berlin", "is not the name of a time zone"),
    ("Europe/Berlin", "Europe", "is not the name of a time zone"),
    ("Europe/Berlin", "+02:00", "is not the name of a time zone"),
    ('"04:00"', '"04:00", days: [Mon]', f":8: {ONE}.window.days[0]: 'Mon' is not valid; did you mean 'mon'?"),
    ('"04:00"', '"04:00", days: mon', f":8: {ONE}.window.days: {LIST} (found 'mon')"),
    ('"04:00"', '"04:00", days: [mon, mon]', f":8: {ONE}.window.days: day 'mon' is listed twice"),
    (
        '"04:00"',
        '"04:00", outside: starttime',
        f":8: {ONE}.window.outside: 'starttime' is not valid; did you mean 'start_time'?",
    ),
    # A start time and steps before it: they would run before the window.
    (
        f'"04:00"}}\n      after:\n{STEP}',
        f'"04:00", outside: start_time}}\n      before:\n{STEP}',
        f":7: {ONE}: {TOO_EARLY}",
    ),
    # Utility steps.
    (STEP, "        - {project: Ops/Restart}", f":10: {ONE}.after[0].name: is missing; add it"),
    (STEP, "        - {name: restart}", f":10: {ONE}.after[0]: needs project or project_id"),
    (
        STEP,
        "        - {name: restart, project: a, project_id: 1}",
        f":10: {ONE}.after[0]: has project and project_id; keep one of them",
    ),
    (
        STEP,
        "        - {name: restart, project: a, environment: X, environment_id: 1}",
        f":10: {ONE}.after[0]: has environment and environment_id; keep one of them",
    ),
    *[
        (STEP, f"        - {{name: {taken}, project: a}}", f":10: {ONE}.after[0].name: {STEP_TAKEN} (found '{taken}')")
        for taken in ("approve", "deploy", "window", "exago")
    ],
    (STEP, f"{STEP}\n{STEP}", f":7: {ONE}: step 'restart' is listed twice"),
    (STEP, f"{STEP}\n      before:\n{STEP}", f":7: {ONE}: step 'restart' is listed twice"),
    (
        STEP,
        "        - {name: restart, project: a, instance_ids: [1, 1]}",
        f":10: {ONE}.after[0].instance_ids: instance '1' is listed twice",
    ),
    (STEP, "        - restart", f":10: {ONE}.after[0]: {FIELDS} (found 'restart')"),
    # A folder of Exago.
    (EXAGO, "      exago:", f":11: {ONE}.exago: has nothing in it; fill it, or leave it out (found None)"),
    (", archive: Sales/Old", "", f":11: {ONE}.exago.archive: is missing; add it"),
    (
        "Sales/Live",
        "Sales//Live",
        f":11: {ONE}.exago.live: is not the path of a folder; give for instance Sales/Daily (found 'Sales//Live')",
    ),
    ("Sales/Live", "../Live", f":11: {ONE}.exago.live: is not the path of a folder"),
    (
        "Sales/New",
        "Sales/Live",
        f":11: {ONE}.exago: live and candidate are one inside the other; choose folders apart from each other",
    ),
    ("Sales/New", "Sales", f":11: {ONE}.exago: live and candidate are one inside the other"),
    ("Sales/New", r"Sales\Live\New", f":11: {ONE}.exago: candidate and live are one inside the other"),
    ("Sales/Old", "Sales/Live/Old", f":11: {ONE}.exago: archive and live are one inside the other"),
    ("Sales/Old", "Sales/New", f":11: {ONE}.exago: archive and candidate are one inside the other"),
]


@pytest.mark.parametrize(("line", "instead", "told"), MISTAKES)
def test_a_mistake_is_told_with_file_line_field_and_what_to_do(
    tmp_path: Path, line: str, instead: str, told: str
) -> None:
    assert SOUND.count(line) == 1
    (tmp_path / "reports.yaml").write_text(REPORTS)
    (tmp_path / "promotions.yaml").write_text(SOUND.replace(line, instead))
    (found,) = read_applications(tmp_path).values()
    assert isinstance(found, ConfigError)
    assert told in str(found)
    assert str(found).startswith(f"{tmp_path}/promotions.yaml:")
    assert len(str(found).splitlines()) == 1


def test_without_these_mistakes_all_is_sound(tmp_path: Path) -> None:
    (tmp_path / "reports.yaml").write_text(REPORTS)
    (tmp_path / "promotions.yaml").write_text(SOUND)
    (found,) = read_applications(tmp_path).values()
    assert not isinstance(found, ConfigError), found


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ("", ":5: a.stages: must be a list"),
        (" []", ":5: a.stages: must have at least 1"),
        (" TEST", ":5: a.stages: must be a list, a line with '- ' for each (found 'TEST')"),
        (" [TEST]", ":5: a.stages[0]: must be names with their values, 'name: value' a line (found 'TEST')"),
    ],
)
def test_an_application_without_a_stage_is_refused(tmp_path: Path, stages: str, told: str) -> None:
    (tmp_path / "promotions.yaml").write_text(f"a:\n  project: x\n  build:\n    environment: y\n  stages:{stages}\n")
    assert told in str(read_applications(tmp_path)["a"])
