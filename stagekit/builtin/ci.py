"""GoCD, recognised by the variables that it sets for every job, and how builds are named.

https://docs.gocd.org/current/faq/dev_use_current_revision_in_build.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from stagekit.inputs.source import without_credentials
from stagekit.plugins.spec import hookimpl
from stagekit.records import CI, Source

_PIPELINE_LIMIT = 100
"""Characters of a pipeline's name: a tag has 128, and its counter must not be cut off."""


@hookimpl
def stagekit_ci(environ: Mapping[str, str]) -> CI | None:
    pipeline, counter = environ.get("GO_PIPELINE_NAME"), environ.get("GO_PIPELINE_COUNTER")
    if not pipeline or not counter:
        return None
    server = without_credentials(environ.get("GO_SERVER_URL", "")).rstrip("/")
    label = environ.get("GO_STAGE_NAME")
    stage = f"{label}/{environ.get('GO_STAGE_COUNTER', '1')}" if label else ""
    return CI(
        name="gocd",
        url=f"{server}/pipelines/{pipeline}/{counter}/{stage}".rstrip("/") if server else None,
        pipeline=pipeline,
        counter=counter,
    )


@hookimpl
def stagekit_build_id(ci: CI | None, source: Source, now: datetime) -> str:
    """``<pipeline>-<counter>`` on a CI, so that what runs is traced to the job that built it; else
    the time, ``YYYY.MM.DD-HH.MM`` in UTC."""
    if ci and ci.pipeline and ci.counter:
        return f"{ci.pipeline[:_PIPELINE_LIMIT]}-{ci.counter}"
    return now.strftime("%Y.%m.%d-%H.%M")
