"""A process that renews, and stops at a given moment: ``python -m … <server url> <folder> <never | key of a Variable | freeze:key>``.

It stops for ever, or is frozen until it gets SIGCONT.
"""

from __future__ import annotations

import os
import signal
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
        if f"freeze:{key}" == stop_before:
            os.kill(os.getpid(), signal.SIGSTOP)
        if key == stop_before:
            print(f"stopped before {key}", file=sys.__stdout__, flush=True)
            threading.Event().wait()

    api.before_put = stop
    run = api.run(renew_task())
    print(f"ended as {run.state}", file=sys.__stdout__, flush=True)


main(*sys.argv[1:])
