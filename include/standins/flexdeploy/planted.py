"""The sites that a stand-in can start with: one of its own, and the one of the vendor's page."""

from __future__ import annotations

from typing import Any, Final

from include.standins.flexdeploy.site import (
    ROOT_FOLDER,
    Code,
    Environment,
    Folder,
    Instance,
    Project,
    Site,
    Stream,
    Version,
    Workflow,
)

DEV, TEST, PROD = 11001, 11002, 11003
APP, WEB, DB = 12001, 12002, 12003
BUILD_FLOW, DEPLOY_FLOW, UTILITY_FLOW = 13001, 13002, 13003
PORTAL, PORTAL_REPORTS, DASHBOARD, FORMS, RESTART, RETIRED = 10101, 10102, 10103, 10104, 10105, 10106
SPRING: Final = 16001


def planted() -> Site:
    """Return the default site: folders *Licensing* and *Operations*, environments DEV, TEST and PROD, six projects and
    two of one name.
    """
    root = Folder(ROOT_FOLDER, "FlexDeploy", None)
    licensing, operations = Folder(201, "Licensing", ROOT_FOLDER), Folder(202, "Operations", ROOT_FOLDER)
    portal = Folder(10001, "Portal", licensing.id, application=True, description="What the licensing team uses.")
    usage = Folder(10002, "Usage", licensing.id, application=True)
    tools = Folder(10003, "Tools", operations.id, application=True)
    projects = [
        _full(PORTAL, "LicensePortal", portal, (APP, WEB)),
        _full(PORTAL_REPORTS, "LicensePortalReports", portal, (APP,)),
        _full(DASHBOARD, "UsageDashboard", usage, (APP, WEB, DB)),
        _full(FORMS, "LedgerForms", usage, (DB,), partial=True, objects=("/forms/invoice.fmb", "/forms/ledger.fmb")),
        Project(
            RESTART,
            "RestartServices",
            tools,
            (Stream(10605, "main"),),
            type="UTILITY",
            utility_workflow=UTILITY_FLOW,
            utility_instances=(APP, WEB),
        ),
        _full(RETIRED, "RetiredPortal", portal, (APP,), active=False),
        _full(10107, "Toolbox", usage, (APP,)),
        _full(10108, "Toolbox", tools, (APP,)),
    ]
    versions = [_version(20000 + project.id, project) for project in projects]
    return Site(
        folders=[root, licensing, operations, portal, usage, tools],
        instances=[
            Instance(APP, "APP", "Application servers"),
            Instance(WEB, "WEB", "Web servers"),
            Instance(DB, "DB", "Databases"),
        ],
        environments=[
            Environment(DEV, "DEV", "Development", (APP, WEB, DB), sort=1, build=True),
            Environment(TEST, "TEST", "Test", (APP, WEB, DB), sort=2),
            Environment(PROD, "PROD", "Production", (APP, WEB, DB), sort=3),
        ],
        workflows=_workflows(),
        projects=projects,
        versions=versions,
        packages={FORMS: {"INVOICES", "LEDGER"}},
        releases=frozenset({SPRING}),
        live=[("1.0.1", code) for code in ("DEV", "TEST", "PROD")],
        next_version_id=40001,
    )


def _full(project_id: int, name: str, folder: Folder, instances: tuple[int, ...], **more: Any) -> Project:
    return Project(
        project_id,
        name,
        folder,
        (Stream(project_id + 400, "main"), Stream(project_id + 410, "hotfix")),
        type="GENERIC",
        build_workflow=BUILD_FLOW,
        build_instance=APP,
        deploy_workflow=DEPLOY_FLOW,
        deploy_instances=instances,
        omitted=frozenset({"utilityWorkflowId", "utilityInstanceIds"}),
        **more,
    )


def _version(version_id: int, project: Project) -> Version:
    return Version(version_id, "1.0.1", project.id, project.streams[0].id, revision=0, all_files=project.partial)


def _workflows() -> list[Workflow]:
    return [
        Workflow(
            BUILD_FLOW,
            "Build",
            "BUILD",
            (("1.0", 14001), ("1.1", 14002)),
            (Code("input1"), Code("input2")),
            (Code("FF_BUILD"),),
        ),
        Workflow(
            DEPLOY_FLOW,
            "Deploy",
            "DEPLOY",
            (("1.0", 14003),),
            (Code("RESTART_SERVER"), Code("COMMENT")),
            (Code("FF_DEPLOY"),),
        ),
        Workflow(
            UTILITY_FLOW, "Restart", "UTILITY", (("1.0", 14004),), (Code("SERVICE", required=True), Code("INPUT2"))
        ),
    ]


def documented() -> Site:
    """Return the site of the vendor's page: the projects, environments and instances that its examples name, as far as
    they name them.
    """
    root = Folder(ROOT_FOLDER, "FlexDeploy", None)
    human = Folder(10001, "Human Resources", ROOT_FOLDER, application=True)
    utilities = Folder(10001, "HR Utils", ROOT_FOLDER, application=True)
    commerce = Folder(203, "CommerceProjects", ROOT_FOLDER)
    accounting = Folder(10001, "AccountingApps", commerce.id, application=True)
    seven = (11153, 11168, 11183, 11198, 11213, 11228, 11243)
    streams = tuple(Stream(one, f"stream{one}") for one in (10802, 10803, 10804, 10805))
    project1 = Project(
        10002,
        "Project1",
        accounting,
        streams,
        description="Our thoughts become our words. Our words become our actions.",
        scm="NONE",
        build_workflow=10869,
        build_instance=11153,
        deploy_workflow=10873,
        deploy_instances=seven,
        utility_workflow=11434,
        utility_instances=(11275,),
    )
    project2 = Project(10003, "Project2", accounting, description="No Permissions", scm="SVN")
    flows: dict[str, Any] = {
        "build_workflow": 10869,
        "build_instance": 100001,
        "deploy_workflow": 10873,
        "utility_workflow": 11434,
    }
    several = Project(
        10004,
        "Several",
        accounting,
        (Stream(11210, "main"),),
        partial=True,
        deploy_instances=(100001,),
        utility_instances=(10044,),
        **flows,
    )
    process = Project(10501, "ProcessHRRequest", human, (Stream(10502, "main"),), deploy_instances=(100001,), **flows)
    utility = Project(29801, "Util", utilities, (Stream(29802, "main"),), utility_instances=(10044,), **flows)
    instances = [Instance(one, f"I{one}", f"Instance {one}") for one in (*seven, 11275, 100001, 10044)]
    codes = {11016: "BUILD", 11101: "DEV", 12345: "SIT", 10045: "UAT", 11210: "PROD"}
    return Site(
        folders=[root, human, utilities, commerce, accounting],
        instances=instances,
        environments=[
            Environment(one, code, code.title(), tuple(each.id for each in instances), sort=number)
            for number, (one, code) in enumerate(codes.items())
        ],
        workflows=[
            Workflow(10869, "Build", "BUILD", (("1.0", 10870),)),
            Workflow(10873, "Deploy", "DEPLOY", (("1.0", 10874),)),
            Workflow(11434, "Utility", "UTILITY", (("1.0", 11435),)),
        ],
        projects=[project1, project2, several, process, utility],
        versions=[
            Version(29101, "1.0.1", 10004, 11210, revision=0, all_files=True),
            Version(29201, "1.0.8", 10501, 10502, revision=0),
            Version(29809, "1.0.1", 29801, 29802, revision=0),
        ],
        releases=frozenset({27003}),
    )
