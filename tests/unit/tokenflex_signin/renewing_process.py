"""A process that renews, and stops for ever at a given moment: ``python -m … <server url> <folder> <never | key of a Variable>``."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tests.execution_api import FileStore
from tests.unit.tokenflex_signin.oauth_server import OAuthServer
from tests.unit.tokenflex_signin.records import renew_task, renewing_api


def main(url: str, folder: str, stop_before: str) -> None:
    """Run the task once; says so on stdout when it stops."""
    api = renewing_api(OAuthServer(url=url), FileStore(Path(folder)))

    def stop(key: str) -> None:
        if key == stop_before:
            print(f"stopped before {key}", file=sys.__stdout__, flush=True)
            threading.Event().wait()

    api.before_put = stop
    run = api.run(renew_task())
    print(f"ended as {run.state}", file=sys.__stdout__, flush=True)


main(*sys.argv[1:])
