"""``inv secrets``: an environment's sealed secrets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stagekit.cli.app import App
from stagekit.cli.secret_file import SecretFile
from stagekit.cli.task import JSON, stage_task

if TYPE_CHECKING:
    from stagekit.errors import InputError

_ENV = "the environment, or base for what all of them share"


@stage_task(
    name="keygen",
    help={
        "env": _ENV,
        "to": "the identity's file; by default in ~/.config/stagekit/",
        "name": "what its recipient is called; by default the user's name",
        "json": JSON,
    },
    short={"env": "e"},
    values={"env": "layer", "to": "file"},
)
def keygen(app: App, *, env: str = "", to: str = "", name: str = "", json: bool = False) -> None:
    """Make an age identity, which opens secrets, and print its recipient, which seals them.

    The identity goes to a file that only its owner may read, never to the repository. An
    environment without secrets begins with this recipient.
    """
    from stagekit.cli.identity_file import identity_path, write_identity
    from stagekit.inputs import age
    from stagekit.pipeline.sealing import begin

    file = SecretFile(app, env)
    path = identity_path(app.project, to, env, os.environ)
    name = name or app.user
    with file.changing():
        begun = file.content is None  # a damaged file is told of before there is an identity
        recipient = write_identity(path)
        if begun:
            file.write(begin({name: recipient}, file.where).file)
    if json:
        app.console.data({"recipient": recipient, "identity_file": str(path), "begun": begun})
    else:
        app.console.result(recipient)
    app.console.note(f"the identity is in {path}: guard it like what it opens, and keep a copy")
    app.console.note(f"next: export {age.VARIABLE}={path}")
    then = f"set NAME --env {env}" if begun else f"rotate --env {env} --add {name}={recipient}"
    app.console.note(f"      inv secrets.{then}")


@stage_task(
    name="set",
    help={
        "name": "the secret's name, as a variable's: API_KEY",
        "env": _ENV,
        "exact": "keep a line break at the end of what stdin gives",
    },
    short={"env": "e"},
    values={"env": "layer", "name": "secret"},
)
def set_(app: App, name: str, *, env: str = "", exact: bool = False) -> None:
    """Seal a secret's value, read from stdin or from a hidden prompt.

    Needs no identity. With one, setting the value that a secret has already changes nothing.
    """
    from stagekit.cli.typed import typed_value
    from stagekit.errors import InputError
    from stagekit.inputs.secrets import check_secret_name

    file = SecretFile(app, env)
    if "=" in name:
        raise InputError(
            "a value on the command line is seen by others on this machine",
            where="inv secrets.set",
            hint=f"printf %s … | inv secrets.set {name.partition('=')[0]} --env {env}",
        )
    check_secret_name(name, "inv secrets.set")
    file.store()  # what is wrong with it is said before anything is typed
    value = typed_value(name, exact=exact)
    with file.changing():
        store = file.store()
        file.change(store.file, store.with_values({name: value}))
    if store.key is None:
        app.console.note("set without an identity: it counts as changed, whatever it was before")


@stage_task(name="edit", help={"env": _ENV}, short={"env": "e"}, values={"env": "layer"})
def edit(app: App, *, env: str = "") -> None:
    """Edit an environment's secrets in $EDITOR, as TOML; only what changed is sealed anew.

    The text lies in memory, in a folder of its own, and is overwritten after. Where it has a
    mistake, the editor is opened on it again, unless you say otherwise.
    """
    from stagekit.cli.typed import edited_values

    def again(error: InputError) -> bool:
        if not app.console.attended:
            return False
        app.console.error(error)
        return app.console.ask("Enter: edit it again; q: change nothing ") != "q"

    file = SecretFile(app, env)
    before = file.store("editing secrets").values()
    after = edited_values(before, env, os.environ, again=again)
    app.cancel.check()
    with file.changing():
        store = file.store("editing secrets")
        file.change(store.file, store.edited(before, after))


@stage_task(
    name="list",
    help={"env": _ENV, "json": JSON},
    short={"env": "e"},
    values={"env": "layer"},
)
def list_(app: App, *, env: str = "", json: bool = False) -> None:
    """List an environment's secrets: where each is set, and its fingerprint. Opens nothing."""
    from stagekit.inputs.environment import environment_chain
    from stagekit.inputs.names import BASE
    from stagekit.inputs.secrets import read_layers, shown
    from stagekit.pipeline.secrets import layers_of

    SecretFile(app, env)
    chain = (env,) if env == BASE else environment_chain(app.project, env)
    layers = layers_of(app.project, chain)
    where = {folder.name: shown(folder) for folder in layers}
    files = read_layers(layers)
    merged = {name: (at, item) for at, file in files.items() for name, item in file.secrets.items()}
    found = [(name, at, item.fingerprint) for name, (at, item) in sorted(merged.items())]
    if json:
        secrets = [{"name": name, "layer": at, "fingerprint": text} for name, at, text in found]
        recipients = {at: file.recipients for at, file in files.items()}
        app.console.data({"secrets": secrets, "recipients": recipients})
        return
    rows = [[name, where[at], text.partition(":")[2][:12]] for name, at, text in found]
    app.console.table(["SECRET", "SET IN", "FINGERPRINT"], rows)
    for at, file in files.items():
        app.console.note(f"{where[at]} is sealed for {', '.join(sorted(file.recipients))}")


@stage_task(
    name="rotate",
    help={
        "env": _ENV,
        "add": "NAME=age1…, one more recipient; may be given several times",
        "remove": "a recipient's name or key; may be given several times",
        "json": JSON,
    },
    short={"env": "e"},
    values={"env": "layer", "remove": "recipient"},
    iterable=["add", "remove"],
)
def rotate(
    app: App,
    *,
    env: str = "",
    add: Sequence[str] | None = None,
    remove: Sequence[str] | None = None,
    json: bool = False,
) -> None:
    """Seal an environment's secrets anew, for recipients that may change; values stay.

    Releases keep the ciphertext that they were made with: those that only former recipients can
    open are named.
    """
    from stagekit.pipeline.sealing import next_recipients, releases_where

    file = SecretFile(app, env)
    with file.changing():
        store = file.store("rotating secrets")
        was = store.file.recipients
        recipients = next_recipients(was, add or (), remove or (), file.where)
        sealed = store.for_recipients(recipients)
        file.write(sealed)
    before, after = set(was.values()), set(recipients.values())
    lost = releases_where(
        app.ledger,
        env,
        lambda layer: after.isdisjoint(layer.recipients.values()),
        app.console.emit,
    )
    if json:
        app.console.data({"recipients": recipients, "only_former_recipients_open": lost})
    else:
        app.console.result(
            f"{file.where}: {len(sealed.secrets)} sealed for {', '.join(recipients)}"
        )
    if lost:
        app.console.warn(
            f"only former recipients can open {', '.join(lost)}: a rollback there needs the "
            f"identity of {' or '.join(sorted(was))}"
        )
    if before - after:
        app.console.note("who was removed has seen these values: set new ones where it matters")
        app.console.note("fingerprints are new: the next release recreates what uses a secret")
    if after - before:
        app.console.note("who was added can open releases from the next one on")
