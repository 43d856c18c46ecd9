"""Nightshift: all files of ``dags/``, one after the other, with a configuration of many reports and applications."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

from benchmarks import configuration
from benchmarks.contenders import parse_clock
from benchmarks.environments import ROOT

job = json.loads(sys.argv[1])
out = Path(job["out"])
configuration.write(out, reports=job["settings"]["reports"], applications=job["settings"]["applications"])
os.environ["NIGHTSHIFT_CONFIG"] = str(out)


def dags() -> Iterator[Any]:
    """Parse the files, and collect their DAGs, as Airflow's importer does."""
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    for path in sorted((ROOT / "dags").glob("*.py")):
        loader = SourceFileLoader(f"parsed_{path.stem}", str(path))
        spec = spec_from_loader(loader.name, loader)
        assert spec is not None
        module = sys.modules[loader.name] = module_from_spec(spec)
        DagContext.current_autoregister_module_name = loader.name
        loader.exec_module(module)
    yield from (dag for dag, _ in DagContext.autoregistered_dags)


parse_clock.run(out, dags)
