"""The whole chain behind a release, recomputed from what is on disk: no engine, no registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from stagekit.errors import InputError, LedgerError
from stagekit.events import Emit
from stagekit.inputs.document import parse_sealed
from stagekit.ledger.sealed import Problem, file_problems
from stagekit.pipeline.chain import build_problems, image_problems, promotion_problems
from stagekit.pipeline.history import readable_runs
from stagekit.protocols import Ledger
from stagekit.records import Build, Part, Release, Stored

_NAMED = 3
"""How many records are told that name a release which is gone."""


class Audit(Part, frozen=True):
    """What was found of one release.

    ``notes`` are no faults: cancelled, pruned, promoted, or a build that is not at hand.
    """

    release: str
    state: Literal["whole", "damaged", "pruned"]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    digest: str | None = None


RunLinks = dict[str, dict[int, str]]


def run_links(ledger: Ledger, env: str, emit: Emit) -> RunLinks:
    """Return for each release that was run the number of each run, and the digest it names."""
    links: RunLinks = {}
    for run in readable_runs(ledger, env, emit):
        release = run.record.release
        links.setdefault(release.id, {})[run.record.n] = release.digest
    return links


def audit(ledger: Ledger, env: str, id: str, links: RunLinks) -> Audit:
    """Check one release.

    Args:
        ledger: where it is.
        env: its environment.
        id: its id.
        links: what `run_links` returned for the environment.

    Raises:
        InputError: there is no such release.
    """
    name = f"{env}/{id}"
    try:
        if pruned := ledger.pruned(env, id):
            note = f"pruned {pruned.record.created:%Y-%m-%d} by {pruned.record.actor}"
            problems = tuple(_link_problems(pruned.record.release.digest, links.get(id, {})))
            state: Literal["damaged", "pruned"] = "damaged" if problems else "pruned"
            return Audit(release=name, state=state, problems=problems, notes=(note,))
        stored = ledger.release(env, id)
    except LedgerError as error:
        return Audit(release=name, state="damaged", problems=(_problem(error),))
    problems = tuple(_problems(ledger, stored, links.get(id, {})))
    return Audit(
        release=name,
        state="damaged" if problems else "whole",
        problems=problems,
        notes=tuple(_notes(ledger, stored.record)),
        digest=stored.digest,
    )


def gone(ledger: Ledger, env: str) -> Iterator[Audit]:
    """Yield an environment's releases that are named, and neither there nor pruned."""
    for id, by in ledger.gone_releases(env).items():
        more = f" and {len(by) - _NAMED} more" if len(by) > _NAMED else ""
        problem = Problem("release.toml", f"is gone: {', '.join(by[:_NAMED])}{more} named it")
        yield Audit(release=f"{env}/{id}", state="damaged", problems=(problem,))


def foreign(ledger: Ledger, env: str | None = None) -> Iterator[Audit]:
    """Yield what lies among an environment's releases, or without ``env`` among the environments,
    and is none."""
    for name in ledger.foreign(env):
        problem = Problem(name, f"is no {'release' if env else 'environment'}: move it away")
        yield Audit(release=f"{env}/{name}" if env else name, state="damaged", problems=(problem,))


def _problems(ledger: Ledger, stored: Stored[Release], runs: dict[int, str]) -> Iterator[Problem]:
    release = stored.record
    yield from _link_problems(stored.digest, runs)
    yield from _cancellation_problems(ledger, stored)
    yield from _promotion_problems(ledger, release)
    build: Stored[Build] | None = None
    try:
        build = ledger.find_build(release.build.id)
        yield from build_problems(release, build)
    except LedgerError as error:
        yield _problem(error)
    try:
        files = ledger.release_files(release.env, release.id)
    except LedgerError as error:
        yield _problem(error)
        return
    wrong = file_problems(release, files)
    yield from wrong
    if not wrong:
        try:
            document = parse_sealed(files["compose.yaml"], where="compose.yaml")
        except LedgerError as error:
            yield _problem(error)
        else:
            yield from image_problems(release, document, build)


def _link_problems(digest: str, runs: dict[int, str]) -> Iterator[Problem]:
    for n, stated in sorted(runs.items()):
        if stated != digest:
            yield Problem("release.toml", f"is not the one that run {n} ran ({stated})")


def _cancellation_problems(ledger: Ledger, stored: Stored[Release]) -> Iterator[Problem]:
    release = stored.record
    try:
        cancelled = ledger.cancelled(release.env, release.id)
    except LedgerError as error:
        yield _problem(error)
        return
    if cancelled and cancelled.record.release.digest != stored.digest:
        yield Problem("its cancellation", "is that of another release")


def _promotion_problems(ledger: Ledger, release: Release) -> Iterator[Problem]:
    """Follow a promotion to where it came from, as far as that is there."""
    env, _, id = (release.promoted_from or "").partition("/")
    try:
        if pruned := ledger.pruned(env, id) if id else None:
            yield from promotion_problems(release, pruned.record.build)
        elif id and ledger.release_folder(env, id).is_dir():
            source = ledger.release(env, id).record
            yield from promotion_problems(release, source.build, source.pins)
            for problem in file_problems(source, ledger.release_files(env, id)):
                yield Problem(f"{env}/{id}, which it was promoted from:", str(problem))
    except LedgerError as error:
        yield _problem(error)
    except InputError as error:  # what no environment or release could be called
        yield Problem("release.toml", f"says that it was promoted from {env}/{id}: {error.what}")


def _notes(ledger: Ledger, release: Release) -> Iterator[str]:
    try:
        if cancelled := ledger.cancelled(release.env, release.id):
            yield f"cancelled by {cancelled.record.actor}: {cancelled.record.reason}"
        if ledger.find_build(release.build.id) is None:
            yield f"build {release.build.id} is not at hand, and was not checked"
        if release.promoted_from:
            env, _, id = release.promoted_from.partition("/")
            yield f"promoted from {release.promoted_from}{_whereabouts(ledger, env, id)}"
    except (LedgerError, InputError):
        return  # said as a problem


def _whereabouts(ledger: Ledger, env: str, id: str) -> str:
    if ledger.pruned(env, id):
        return ", which was pruned"
    there = ledger.release_folder(env, id).is_dir()
    return "" if there else ", which is gone, and was not checked"


def _problem(error: LedgerError) -> Problem:
    return Problem(error.where or "the ledger", error.what)
