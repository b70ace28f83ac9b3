# mypy: disable-error-code="empty-body"
"""The hooks by which stagekit's choices are made. What stagekit ships is registered here too.

A plugin implements any of them under ``@stagekit.hookimpl``; arguments it does not need may be
left out. Plugins are asked before what is shipped, the last registered first. A plugin that needs
hooks of a newer stagekit says so: ``stagekit_hooks = 2`` in its module or on its object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from stagekit.cancel import Cancel
from stagekit.containers import Container
from stagekit.events import Emit
from stagekit.protocols import Builder, Engine, Finding, Ledger, Runner, SecretProvider
from stagekit.records import CI, Build, Release, Run, Source, Stored

if TYPE_CHECKING:
    from invoke.tasks import Task

PROJECT = "stagekit"
VERSION = 1
"""Of the hooks below; counted up with each that is added or changed."""
SINCE: Mapping[str, int] = {}
"""The version in which a hook came, by its name; of the first where it is not named."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """Each hook's name, arguments and result."""

    @hookspec(firstresult=True)
    def stagekit_ci(self, environ: Mapping[str, str]) -> CI | None:
        """Recognise the CI this process runs under by its documented variables."""

    @hookspec(firstresult=True)
    def stagekit_build_id(
        self, scheme: str, ci: CI | None, source: Source, now: datetime, taken: Sequence[str]
    ) -> str | None:
        """Name the next build by the project's ``id`` setting; ``taken`` are the ids there are.
        It becomes an image tag: other characters are replaced by ``-``."""

    @hookspec(firstresult=True)
    def stagekit_release_id(
        self, scheme: str, ci: CI | None, now: datetime, taken: Sequence[str]
    ) -> str | None:
        """Name the next release by its environment's ``id`` setting; ``taken`` are the ids that it
        ever had. One that is taken gets a suffix; its folder's name has no colons."""

    @hookspec
    def stagekit_built(
        self, build: Stored[Build], engine: Engine, emit: Emit, environ: Mapping[str, str]
    ) -> None:
        """Hear of a build that went well, once its record is written. ``engine`` is the one that
        has its images; what is told to ``emit`` is shown as stagekit's own steps are."""

    @hookspec
    def stagekit_build_unchanged(
        self, build: Stored[Build], engine: Engine, emit: Emit, environ: Mapping[str, str]
    ) -> None:
        """Hear that a build was asked for and nothing has changed since ``build``, which is what
        there is to release; else as ``stagekit_built``, which heard of it when it was made."""

    @hookspec
    def stagekit_builder(self, engine: Engine, environ: Mapping[str, str]) -> Builder | None:
        """Offer a builder, or nothing where it cannot work on this machine. The project's
        ``builder`` setting chooses one by name; ``auto`` takes the first offered."""

    @hookspec(firstresult=True)
    def stagekit_runner(
        self, kind: str, engine: Engine, environ: Mapping[str, str]
    ) -> Runner | None:
        """Offer the runner for an environment's ``engine`` setting (``compose``)."""

    @hookspec(firstresult=True)
    def stagekit_secret_provider(
        self, name: str, environ: Mapping[str, str]
    ) -> SecretProvider | None:
        """Offer the provider for an environment's ``secret_provider`` setting (``age``, ``sops``,
        ``env``)."""

    @hookspec(firstresult=True)
    def stagekit_ledger(
        self,
        url: str,
        artifacts: Path,
        actor: str,
        emit: Emit,
        environ: Mapping[str, str],
        cancel: Cancel,
    ) -> Ledger | None:
        """Offer the ledger for the project's ``ledger.url`` setting: git's ships, and takes what no
        plugin wants. ``artifacts`` is for what it keeps on this machine, ``actor`` is who writes,
        ``cancel`` ends what takes long. Made anew by each command: read nothing before asked."""

    @hookspec
    def stagekit_tasks(self) -> Iterable[Task]:  # type: ignore[type-arg]  # as in cli/task.py
        """Add tasks. Asked of plugins in ``collection(plugins=…)``, and of installed ones in the
        entry-point group ``stagekit.tasks``, whenever ``inv`` starts: import nothing slow."""

    @hookspec
    def stagekit_variables(
        self, root: Path, env: str, environ: Mapping[str, str]
    ) -> Mapping[str, Any]:
        """Give variables of an environment, as ``[vars]`` has them: a layer above its files and
        below ``STAGEKIT_VAR_*``. The same release needs the same answer."""

    @hookspec
    def stagekit_template_filters(self) -> Mapping[str, Callable[..., Any]]:
        """Give filters that templates may use (``{{ value | name }}``). They must answer the same
        to the same, and are not confined as templates are."""

    @hookspec
    def stagekit_template_tests(self) -> Mapping[str, Callable[..., bool]]:
        """Give tests that templates may use (``{% if value is name %}``), as above."""

    @hookspec
    def stagekit_template_globals(self) -> Mapping[str, Any]:
        """Give names that templates may use, as above. A variable of the same name wins."""

    @hookspec
    def stagekit_before_build(
        self, root: Path, images: Sequence[str], environ: Mapping[str, str]
    ) -> None:
        """Hear that images are about to be built. What is raised stops the build."""

    @hookspec
    def stagekit_build_failed(self, build: Stored[Build], environ: Mapping[str, str]) -> None:
        """Hear of a build that failed, once its record is written."""

    @hookspec
    def stagekit_before_release(
        self, root: Path, env: str, build: Stored[Build], environ: Mapping[str, str]
    ) -> None:
        """Hear that a build is about to be released. What is raised stops the release."""

    @hookspec
    def stagekit_check_release(self, release: Release, document: bytes) -> Iterable[str]:
        """Look at what is about to be sealed: a release's record, but for its id and its time, and
        its compose.yaml; return what is wrong with it, a sentence each. One is enough to refuse
        it."""

    @hookspec
    def stagekit_released(
        self, release: Stored[Release], emit: Emit, environ: Mapping[str, str]
    ) -> None:
        """Hear of a release, once it is sealed; ``emit`` as in ``stagekit_built``."""

    @hookspec
    def stagekit_release_unchanged(
        self, release: Stored[Release], emit: Emit, environ: Mapping[str, str]
    ) -> None:
        """Hear that a release was asked for and nothing has changed since ``release``, which is
        what there is to run; else as ``stagekit_released``, which heard of it when it was made."""

    @hookspec
    def stagekit_release_failed(
        self, env: str, error: Exception, environ: Mapping[str, str]
    ) -> None:
        """Hear that a release could not be made. It leaves no record."""

    @hookspec
    def stagekit_verify_release(
        self, release: Stored[Release], emit: Emit, environ: Mapping[str, str]
    ) -> Iterable[str] | None:
        """Say whether a release is trusted, before anything of it comes up: for a run, a way back,
        a comparison, a command beside what runs; ``inv run --plan`` asks too. What is raised
        refuses it, and nothing is recorded. Give who vouches for it, in a few words each, which
        a run records as its step ``trust``; or nothing. ``emit`` as in ``stagekit_built``."""

    @hookspec
    def stagekit_before_run(self, release: Stored[Release], reason: str) -> None:
        """Hear that a release is about to be run; ``reason`` is the run's, such as ``rollback``.
        What is raised stops it before anything is touched."""

    @hookspec
    def stagekit_before_step(self, step: str, facts: Mapping[str, str]) -> None:
        """Hear that a step of a run begins (``pull``, ``up``, ``prove``, …). ``facts`` are those
        that commands of ``[stagekit.hooks]`` get. What is raised fails the step."""

    @hookspec
    def stagekit_after_step(self, step: str, facts: Mapping[str, str]) -> None:
        """Hear that a step of a run is done. What is raised is told and recorded."""

    @hookspec
    def stagekit_check_run(
        self, release: Release, containers: Sequence[Container], engine: Engine
    ) -> Iterable[str]:
        """Look at what came up, after the pages that must answer; return what is wrong with it, a
        sentence each. One is enough to fail the run."""

    @hookspec
    def stagekit_ran(self, run: Stored[Run]) -> None:
        """Hear of a run, once its record is written, however it ended (``run.record.outcome``)."""

    @hookspec
    def stagekit_doctor(self, root: Path, environ: Mapping[str, str]) -> Iterable[Finding]:
        """Look for what the plugin works with, as lines of ``inv doctor``."""

    @hookspec
    def stagekit_release_notes(self, release: Release, since: Release | None) -> Iterable[str]:
        """Add parts to the notes of a release, as Markdown; ``since`` is the release that they
        start after."""
