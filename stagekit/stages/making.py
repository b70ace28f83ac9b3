"""Builds and releases, made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stagekit.stages.within import id_of, within

if TYPE_CHECKING:
    from stagekit.records import Build, Release


def build(
    *,
    force: bool = False,
    fail_fast: bool = False,
    pull: bool = False,
    id: str | None = None,
    root: Path | None = None,
) -> Build:
    """Build the project's images and push them; where nothing changed, return the newest build.

    Args:
        force: build every image, also those that are what their source makes.
        fail_fast: stop everything at the first image that fails.
        pull: ask registries now what base images are; else at most once an hour.
        id: the build's; by default what the project's ``id`` setting makes.
        root: the repository's folder.

    Raises:
        InputError: the project's settings, or what images are made from, are wrong.
        BuildFailed: an image, a check or a task that is needed failed; the record says which.
        EngineError, RegistryError: they refuse, or do not answer.
        PluginFailed: a plugin stopped it.
        Cancelled: by Ctrl-C or SIGTERM.
    """
    from stagekit.cli.new_build import new_build

    with within(root) as app:
        return new_build(app, force=force, fail_fast=fail_fast, pull=pull, id=id or "").record


def release(
    *,
    env: str,
    build: Build | str | None = None,
    set: Mapping[str, object] | None = None,
    message: str | None = None,
    refresh_images: bool = False,
    force: bool = False,
    confirm: str | None = None,
    root: Path | None = None,
) -> Release:
    """Join a build with one environment's configuration; where nothing changed, return the last
    release.

    Args:
        env: the environment's name.
        build: a build, or its id; by default the newest that succeeded of the source at hand.
        set: values by dotted key, which beat every layer of configuration, as ``--set`` does: text,
            a number, a boolean or a list, each taken as it is.
        message: why, for the record.
        refresh_images: ask registries again what third-party images are.
        force: make a release also where nothing changed.
        confirm: the environment's name once more, where it wants a confirmation.
        root: the repository's folder.

    Raises:
        InputError: a variable or a template is wrong, or the environment is protected against it.
        NoBuild: there is none of the source at hand, and the environment has no ``auto_build``.
        ReleaseFailed: Compose refuses the result, or it cannot be sealed.
        RegistryError: it does not say what an image is.
        PluginFailed, Cancelled: as `build`.
    """
    from stagekit.cli.new_release import chosen, new_release
    from stagekit.pipeline.release import Asked

    with within(root) as app:
        environment = app.environment(env, values=set)
        id = build if isinstance(build, str) else build.id if build else ""
        return new_release(
            app,
            environment,
            chosen(app, id, may_build=environment.policy.auto_build),
            Asked(
                actor=app.actor,
                ci=app.ci,
                message=message,
                confirmed=confirm,
                refresh_images=refresh_images,
            ),
            force=force,
        ).record


def promote(
    *,
    from_env: str,
    to_env: str,
    release: Release | str | None = None,
    set: Mapping[str, object] | None = None,
    message: str | None = None,
    force: bool = False,
    confirm: str | None = None,
    root: Path | None = None,
) -> Release:
    """Release to one environment what ran well in another: the same build and third-party images.

    Args:
        from_env: the environment whose release goes on.
        to_env: the environment it goes to, with its own configuration.
        release: one of ``from_env``'s; by default the one that was run last.
        set: as in `release`, as all others are.
        message: see above.
        force: promote also what never ran well, and where nothing changed.
        confirm: ``to_env`` once more, where it wants a confirmation.
        root: the repository's folder.

    Raises:
        InputError: nothing ran there, it was cancelled or never ran well; and as `release`.
        LedgerError: the release is not what was sealed.
        ReleaseFailed, RegistryError, PluginFailed, Cancelled: as `release`.
    """
    from stagekit.cli.new_release import new_release, promoted

    with within(root) as app:
        id = id_of(app, release, from_env)
        chosen, asked = promoted(
            app, from_env, to_env, id, message=message, confirmed=confirm, force=force
        )
        return new_release(
            app, app.environment(to_env, values=set), chosen, asked, force=force
        ).record
