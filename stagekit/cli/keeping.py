"""``inv release.verify``, ``cancel``, ``prune``: keeping releases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.releases import RELEASE, named
from stagekit.cli.show import age
from stagekit.cli.task import ENV, JSON, PLAN, stage_task

if TYPE_CHECKING:
    from stagekit.cli.console import Tone
    from stagekit.pipeline.audit import Audit


@stage_task(
    name="verify",
    positional=["name"],
    help={
        "name": RELEASE,
        "all": "every release, what is left of pruned ones, and those that are gone",
        "env": f"{ENV}; with --all, check only its releases",
        "json": JSON,
    },
    short={"env": "e"},
    instead={"all": "name"},
    values={"name": "release"},
)
def verify(app: App, name: str, *, all: bool = False, env: str = "", json: bool = False) -> None:
    """Check releases down to each file, and what they were made from, without engine or registry.

    Recomputes the digests of the record, of each file and of the build record that it names;
    compares the images with that build's, and with the digest that each run of it recorded.
    """
    from stagekit.envelope import plain
    from stagekit.errors import InputError, LedgerError

    if name and all:
        raise InputError(
            f"{name}, or every release?",
            where="--all",
            hint=f"inv release.verify {name}, or inv release.verify --all",
        )
    found = _audits(app, name, env) if not all else list(_every_audit(app, env))
    if json:
        app.console.data([plain(audit) for audit in found])
    else:
        for audit in found:
            _show_audit(app, audit)
    if damaged := [audit.release for audit in found if audit.state == "damaged"]:
        raise LedgerError(
            f"not as sealed: {len(damaged)} of {len(found)} checked",
            where=", ".join(damaged[:5]),
            hint="bring artifacts/ back from a copy, or make a new release; inv run refuses these",
        )


@stage_task(
    name="cancel",
    positional=["name"],
    help={"name": RELEASE, "reason": "why, for the record", "json": JSON},
    values={"name": "release"},
)
def cancel(app: App, name: str, *, reason: str = "", json: bool = False) -> None:
    """Say that a release is not to be run any more. It stays as it is, and can be looked at.

    `inv run` refuses it and a rollback passes it over. What runs is not touched.
    """
    from stagekit.envelope import plain
    from stagekit.pipeline.cancel_release import cancel as append
    from stagekit.pipeline.history import last_run

    env, id = named(app, name)
    before = app.ledger.cancelled(env, id)
    stored = append(app.ledger, env, id, reason=reason, actor=app.actor, ci=app.ci)
    cancelled = stored.record
    if json:
        app.console.data({**plain(cancelled), "before": before is not None})
    else:
        how = "was cancelled already" if before else "is cancelled"
        by = f"{age(cancelled.created)} by {cancelled.actor}"
        app.console.result(f"{env}/{id} {how} ({by}: {cancelled.reason})")
    run = last_run(app.ledger, env, app.console.emit)
    if run and run.record.release.id == id and run.record.outcome != "stopped":
        app.console.warn(f"{env}/{id} was run last, and may be running: inv run.status --env {env}")
        app.console.note(f"next: inv run.rollback --env {env}")


@stage_task(
    name="prune",
    help={
        "env": ENV,
        "keep": "how many stay in any case, the newest; cancelled ones do not count",
        "builds": "put away builds that no release is of, too; this many stay in any case",
        "plan": PLAN,
        "json": JSON,
    },
    short={"env": "e"},
    numbers=["keep", "builds"],
)
def prune(
    app: App,
    *,
    env: str = "",
    keep: int | None = None,
    builds: int | None = None,
    plan: bool = False,
    json: bool = False,
) -> None:
    """Put old releases away, or builds; a record of each stays, and its id is not given again.

    Never a release that runs or may, that a rollback would go to, or that another environment's was
    promoted from; nor a build that a release is of. Runs, images and the registry are not touched.
    """
    from stagekit.pipeline.prune_builds import check_keep

    pruned: list[str] = []
    kept: dict[str, str] = {}
    if builds is not None:
        check_keep(builds)  # what is refused has put no release away
    if env or keep is not None or builds is None:
        pruned, kept = _prune_releases(app, env, keep or 0, plan=plan)
    if builds is not None:
        more, why = _prune_builds(app, builds, going=pruned, plan=plan)
        pruned, kept = [*pruned, *more], {**kept, **why}
    if json:
        app.console.data({"planned" if plan else "pruned": pruned, "kept": kept})
        return
    for name in pruned:
        app.console.result(f"{'would prune' if plan else 'pruned'}  {name}")
    for name, reason in kept.items():
        app.console.result(f"kept    {name}: {reason}")
    if not pruned:
        app.console.note(f"nothing{f' of {env}' if env else ''} is to be pruned")


def _prune_releases(
    app: App, env: str, keep: int, *, plan: bool
) -> tuple[list[str], dict[str, str]]:
    from stagekit.pipeline import prune as stage

    app.check_environment(env)
    decided = stage.decide(stage.gather(env, keep=keep, ledger=app.ledger, emit=app.console.emit))
    if not plan:
        stage.apply(decided, ledger=app.ledger, actor=app.actor, ci=app.ci, emit=app.console.emit)
    kept = {f"{env}/{id}": why for id, why in decided.kept.items()}
    return [f"{env}/{id}" for id in decided.prune], kept


def _prune_builds(
    app: App, keep: int, *, going: list[str], plan: bool
) -> tuple[list[str], dict[str, str]]:
    from stagekit.pipeline import prune_builds as stage

    emit = app.console.emit
    decided = stage.decide(stage.gather(keep=keep, ledger=app.ledger, emit=emit, going=going))
    if not plan:
        stage.apply(decided, ledger=app.ledger, actor=app.actor, ci=app.ci, emit=app.console.emit)
    kept = {f"build {id}": why for id, why in decided.kept.items()}
    return [f"build {id}" for id in decided.prune], kept


def _audits(app: App, name: str, env: str) -> list[Audit]:
    from stagekit.errors import InputError
    from stagekit.pipeline.audit import audit, run_links

    named_env, id = named(app, name)
    if env and env != named_env:
        raise InputError(f"{name} is a release of {named_env}", where=f"--env {env}")
    links = run_links(app.ledger, named_env, app.console.emit)
    return [audit(app.ledger, named_env, id, links)]


def _every_audit(app: App, env: str) -> Iterator[Audit]:
    from stagekit.pipeline.audit import audit, foreign, gone, run_links

    if env:
        app.check_environment(env)
    else:
        yield from foreign(app.ledger)
    for each in [env] if env else app.ledger.environments():
        links = run_links(app.ledger, each, app.console.emit)
        for id in (*app.ledger.releases(each), *app.ledger.pruned_releases(each)):
            yield audit(app.ledger, each, id, links)
        yield from gone(app.ledger, each)
        yield from foreign(app.ledger, each)


def _show_audit(app: App, audit: Audit) -> None:
    words: dict[str, tuple[str, Tone]] = {
        "whole": ("as it was sealed", "added"),
        "damaged": ("NOT as it was sealed", "removed"),
        "pruned": ("pruned", ""),
    }
    text, tone = words[audit.state]
    notes = f"  ({'; '.join(audit.notes)})" if audit.notes else ""
    app.console.result(f"{audit.release}: {text}{notes}", tone)
    for problem in audit.problems:
        app.console.result(f"  {problem}")
