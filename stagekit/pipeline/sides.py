"""Reads what `stagekit.pipeline.compare` compares: releases, what runs, the commits between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stagekit.errors import InputError, LedgerError
from stagekit.events import Emit, Warned
from stagekit.inputs.source import commits_between
from stagekit.ledger.sealed import file_problems
from stagekit.pipeline.as_running import as_it_runs, look
from stagekit.pipeline.compare import Commits, Side
from stagekit.pipeline.history import RUNNING, last_run
from stagekit.protocols import Engine, Ledger, Runner
from stagekit.records import Release


def released(ledger: Ledger, env: str, id: str) -> Side:
    """Read a release as it stands in the ledger; one that was changed since says so in its notes.

    Raises:
        InputError: there is no such release.
        LedgerError: its record is damaged.
    """
    release = ledger.release(env, id).record
    files = ledger.release_files(env, id)
    problems = file_problems(release, files)
    notes = tuple(f"{release.name} is NOT as it was sealed: {problem}" for problem in problems)
    return Side(name=release.name, release=release, files=files, notes=notes)


def running(
    ledger: Ledger, env: str, *, engine: Engine, runner: Callable[[str], Runner], emit: Emit
) -> Side:
    """Read what runs in an environment: the release of its last run, with the images and labels
    that its containers have on the engine.

    Raises:
        InputError: nothing was ever run there.
    """
    last = last_run(ledger, env, emit)
    if last is None:
        raise InputError(f"nothing was ever run in {env}", hint=f"inv run --env {env}")
    side = released(ledger, env, last.record.release.id)
    found = runner(last.record.runner).observe(side.release.compose_project)
    there = look(side.release, found.containers, engine)
    return as_it_runs(side, f"{env}/{RUNNING}", [there])


def commits(root: Path, ledger: Ledger, old: Release, new: Release, emit: Emit) -> Commits:
    """Return the commits between the builds of two releases, as far as git and the ledger know."""
    one, other = (commit_of(release, ledger, emit) for release in (old, new))
    return Commits(
        old=one,
        new=other,
        gained=commits_between(root, one, other),
        lost=commits_between(root, other, one),
    )


def commit_of(release: Release, ledger: Ledger, emit: Emit) -> str | None:
    """Return the commit that a release is of; None where its build is not at hand, or its record is
    damaged, which is told: a list of commits is not worth stopping for."""
    try:
        build = ledger.find_build(release.build.id)
    except LedgerError as error:
        emit(Warned(f"the commit that {release.name} is of is not known: {error}"))
        return None
    return build.record.source.commit if build else None
