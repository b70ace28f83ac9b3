"""``inv release.export``, and ``run --bundle`` on the machine that the file is brought to."""

from __future__ import annotations

from pathlib import Path

from stagekit.cli.app import App
from stagekit.cli.releases import RELEASE, named
from stagekit.cli.show import size
from stagekit.cli.task import JSON, stage_task


@stage_task(
    name="export",
    positional=["name"],
    help={
        "name": RELEASE,
        "out": "the file to write; default ENV-ID.tar",
        "images": "with its images, for a machine that reaches no registry",
        "json": JSON,
    },
    values={"name": "release", "out": "file"},
)
def export(app: App, name: str, *, out: str = "", images: bool = False, json: bool = False) -> None:
    """Pack a release into one file, for `stagekit run --bundle FILE` where nothing else is.

    It has the release as it was sealed and the record of its build. Secrets are in it as they are
    in the release: encrypted. Images are taken from the engine, and pulled where it lacks them.
    """
    from stagekit.envelope import plain
    from stagekit.pipeline.bundling import pack

    env, id = named(app, name)
    path = Path(out or f"{env}-{id.replace(':', '')}.tar").absolute()
    bundle = pack(
        app.ledger,
        env,
        id,
        path,
        engine=app.engine_of_runs if images else None,
        actor=app.actor,
        emit=app.console.emit,
        cancel=app.cancel,
    ).record
    if json:
        app.console.data({**plain(bundle), "file": str(path), "size": path.stat().st_size})
        return
    packed = f"with {len(set(bundle.images.values()))} images" if images else "without images"
    app.console.result(f"{path.name}: {env}/{bundle.id} {packed}, {size(path.stat().st_size)}")
    app.console.note(f"next, where it is brought to: stagekit run --bundle {path.name}")


def taken_up(app: App, path: str, env: str, release: str) -> tuple[str, str]:
    """Take up a bundle; return the environment and the id of its release.

    Raises:
        InputError: another one was asked for, or records are shared here.
    """
    from stagekit.errors import InputError
    from stagekit.pipeline.bundling import take_up

    if app.project.ledger.url:
        raise InputError(
            "the records of a bundle are files, and a shared ledger is set here",
            where="--bundle",
            hint=f"stagekit run --from {app.project.ledger.url}, or STAGEKIT_LEDGER= for files",
        )
    stored = take_up(
        Path(path).absolute(),
        app.file_ledger,
        engine=app.engine,
        emit=app.console.emit,
        cancel=app.cancel,
    ).record
    if env not in ("", stored.env) or release not in ("", stored.id, stored.name):
        raise InputError(f"this is {stored.name}", where=path, hint=f"stagekit run --bundle {path}")
    return stored.env, stored.id
