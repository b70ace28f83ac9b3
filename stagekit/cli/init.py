"""``stagekit init``: moves a repository in. `inv` itself needs the tasks.py that this writes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from stagekit.cli.app import App
from stagekit.cli.task import JSON, stage_task
from stagekit.wording import counted

if TYPE_CHECKING:
    from stagekit.engine.compose import Compose
    from stagekit.init.moving import Finding
    from stagekit.init.plan import Plan

_VERBS = {
    "write": "write",
    "append": "append to",
    "replace": "replace",
    "same": "unchanged",
    "keep": "keep",
}


@stage_task(
    name="init",
    help={
        "from": "the Compose files to take over, with commas between; by default those there are",
        "ci": "write a pipeline for it: github, gitlab, gocd or jenkins",
        "force": "write also what is there already",
        "plan": "show what would be written and what differs, and stop",
        "json": JSON,
    },
)
def init(
    app: App,
    *,
    from_: str = "",
    ci: str = "",
    force: bool = False,
    plan: bool = False,
    json: bool = False,
) -> None:
    """Move a repository in: write what stagekit needs, and prove that nothing got lost.

    Takes over Compose files, .env and env_file, and compares what ran with what would be released.
    Overwrites nothing. Exit code 4 where something is lost or differs without a reason.
    """
    from stagekit.errors import ReleaseFailed
    from stagekit.init import plan as stage

    app.console.for_machine |= json
    named = [text.strip() for text in from_.split(",") if text.strip()]
    decided = stage.plan(
        app.root.resolve(),
        named=named,
        ci=ci,
        force=force,
        compose=_compose,
        cancel=app.cancel,
    )
    if not plan:
        stage.apply(decided)
    if json:
        app.console.data(_data(decided))
    else:
        _show(app, decided, plan=plan)
    if not decided.holds:
        raise ReleaseFailed(
            _what_fails(decided),
            hint="change what is named above in the old files, and "
            + ("plan again" if plan else "stagekit init --force; or by hand in what was written"),
        )


def _compose() -> Compose:
    from stagekit.engine.compose import find_compose

    return find_compose(os.environ, {})


def _what_fails(decided: Plan) -> str:
    unexplained = sum(len(proof.unexplained) for proof in decided.proofs)
    parts = []
    if unexplained:
        parts.append(f"{unexplained} differences without a reason")
    if decided.lost:
        parts.append(f"{len(decided.lost)} things that are not taken over")
    return "what would be released is not what ran: " + " and ".join(parts)


def _show(app: App, decided: Plan, *, plan: bool) -> None:
    out = app.console.result
    for file in decided.files:
        source = f"  from {file.source}, {_changed(file.changed)}" if file.source else ""
        out(f"{_VERBS[file.action]:<10} {file.path}{source}")
    for title, findings in (
        ("not taken over", decided.lost),
        ("to do", [item for item in decided.findings if item.kind == "to do"]),
        ("to know", [item for item in decided.findings if item.kind == "note"]),
    ):
        if findings:
            out()
            out(title, "title")
            for finding in findings:
                _say(app, finding)
    for proof in decided.proofs:
        out()
        if not proof.compared:
            out(f"{proof.env}: not compared: no release can be made of it yet", "title")
            continue
        out(f"{proof.env}: what its first release has otherwise than the old files", "title")
        for item in proof.differences:
            tone: Any = "" if item.explained else "removed"
            out(f"  {item.service}  {item.what}  {item.why or 'WITHOUT A REASON'}", tone)
    if plan:
        app.console.note("nothing is written: --plan")
    elif decided.holds:
        app.console.program = "inv"  # there is a tasks.py now
        app.console.note("next: inv build, then inv release --env dev and inv run --env dev")


def _say(app: App, finding: Finding) -> None:
    app.console.result(f"  {finding.where}: {finding.what}")
    app.console.result(f"      {finding.next}")


def _changed(lines: int) -> str:
    if not lines:
        return "byte for byte"
    return f"{counted(lines, 'line')} changed"


def _data(decided: Plan) -> dict[str, Any]:
    from msgspec import to_builtins

    return {
        "name": decided.name,
        "files": [
            {"path": file.path, "action": file.action, "from": file.source, "changed": file.changed}
            for file in decided.files
        ],
        "findings": to_builtins(
            (*decided.lost, *(f for f in decided.findings if f.kind != "lost"))
        ),
        "proofs": [
            {
                "env": proof.env,
                "compared": proof.compared,
                "differences": to_builtins(proof.differences),
            }
            for proof in decided.proofs
        ],
        "holds": decided.holds,
    }
