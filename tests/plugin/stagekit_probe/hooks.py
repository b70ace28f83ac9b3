"""Every other hook. ``PROBE_LOG`` names the file that it writes to, a line of JSON a call;
``PROBE_RAISES`` the hook that fails."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import stagekit
from stagekit.containers import Container
from stagekit.protocols import Builder, Engine, Finding, Ledger, Runner, SecretProvider
from stagekit.records import CI, Build, Release, Run, Source, Stored

stagekit_hooks = 1


def _told(hook: str, **facts: object) -> None:
    if path := os.environ.get("PROBE_LOG"):
        with Path(path).open("a", encoding="utf-8") as log:
            log.write(json.dumps({"hook": hook, **facts}, default=str) + "\n")
    if os.environ.get("PROBE_RAISES") == hook:
        raise ValueError(f"asked to fail in {hook}")


@stagekit.hookimpl
def stagekit_ci(environ: Mapping[str, str]) -> CI | None:
    _told("ci")
    return CI(name="probe-ci", counter="7") if environ.get("PROBE_CI") else None


@stagekit.hookimpl
def stagekit_build_id(scheme: str, ci: CI | None, source: Source, now: datetime) -> str | None:
    _told("build_id", scheme=scheme, ci=ci, source=source.commit, now=now)
    return "probed" if os.environ.get("PROBE_CI") else None


@stagekit.hookimpl
def stagekit_release_id(scheme: str, taken: Sequence[str]) -> str | None:
    _told("release_id", scheme=scheme, taken=list(taken))
    return f"p{len(taken) + 1}" if scheme == "probe" else None


@stagekit.hookimpl
def stagekit_builder(engine: Engine) -> Builder | None:
    _told("builder", engine=engine.url)
    return None


@stagekit.hookimpl
def stagekit_runner(kind: str) -> Runner | None:
    _told("runner", kind=kind)
    return None


@stagekit.hookimpl
def stagekit_secret_provider(name: str) -> SecretProvider | None:
    _told("secret_provider", name=name)
    return None


@stagekit.hookimpl
def stagekit_ledger(url: str) -> Ledger | None:
    _told("ledger", url=url)
    return None


@stagekit.hookimpl
def stagekit_variables(root: Path, env: str) -> Mapping[str, Any]:
    _told("variables", root=root.name, env=env)
    return {"PROBED": "by the plugin", "GREETING": "from the plugin"}


@stagekit.hookimpl
def stagekit_template_filters() -> Mapping[str, Callable[..., Any]]:
    _told("template_filters")
    return {"loud": lambda text: f"{text}!"}


@stagekit.hookimpl
def stagekit_template_tests() -> Mapping[str, Callable[..., bool]]:
    _told("template_tests")
    return {"short": lambda text: len(text) < 3}


@stagekit.hookimpl
def stagekit_template_globals() -> Mapping[str, Any]:
    _told("template_globals")
    return {"answer": 42}


@stagekit.hookimpl
def stagekit_before_build(images: Sequence[str]) -> None:
    _told("before_build", images=list(images))


@stagekit.hookimpl
def stagekit_built(build: Stored[Build]) -> None:
    _told("built", build=build.record.id)


@stagekit.hookimpl
def stagekit_build_unchanged(build: Stored[Build]) -> None:
    _told("build_unchanged", build=build.record.id)


@stagekit.hookimpl
def stagekit_build_failed(build: Stored[Build]) -> None:
    _told("build_failed", build=build.record.id, status=build.record.status)


@stagekit.hookimpl
def stagekit_before_release(env: str, build: Stored[Build]) -> None:
    _told("before_release", env=env, build=build.record.id)


@stagekit.hookimpl
def stagekit_released(release: Stored[Release]) -> None:
    _told("released", release=release.record.name)


@stagekit.hookimpl
def stagekit_release_unchanged(release: Stored[Release]) -> None:
    _told("release_unchanged", release=release.record.name)


@stagekit.hookimpl
def stagekit_release_failed(env: str, error: Exception) -> None:
    _told("release_failed", env=env, error=str(error))


@stagekit.hookimpl
def stagekit_verify_release(release: Stored[Release]) -> None:
    _told("verify_release", release=release.record.name)


@stagekit.hookimpl
def stagekit_before_run(release: Stored[Release], reason: str) -> None:
    _told("before_run", release=release.record.name, reason=reason)


@stagekit.hookimpl
def stagekit_before_step(step: str, facts: Mapping[str, str]) -> None:
    _told("before_step", step=step, release=facts["release"])


@stagekit.hookimpl
def stagekit_after_step(step: str, facts: Mapping[str, str]) -> None:
    _told("after_step", step=step, run=facts["run"])


@stagekit.hookimpl
def stagekit_check_release(release: Release, document: bytes) -> Iterable[str]:
    _told("check_release", env=release.env, images=document.count(b"image:"))
    return filter(None, [os.environ.get("PROBE_REFUSES", "")])


@stagekit.hookimpl
def stagekit_check_run(release: Release, containers: Sequence[Container]) -> Iterable[str]:
    _told("check_run", release=release.name, services=[item.service for item in containers])
    return [wrong] if (wrong := os.environ.get("PROBE_WRONG")) else []


@stagekit.hookimpl
def stagekit_ran(run: Stored[Run]) -> None:
    _told("ran", n=run.record.n, outcome=run.record.outcome)


@stagekit.hookimpl
def stagekit_doctor() -> Iterable[Finding]:
    _told("doctor")
    return [Finding(name="probe", found=True, needed=False, version="1.2.3")]


@stagekit.hookimpl
def stagekit_release_notes(release: Release, since: Release | None) -> Iterable[str]:
    _told("release_notes", release=release.name, since=since and since.name)
    return ["## Probed\n\n- by the plugin"]
