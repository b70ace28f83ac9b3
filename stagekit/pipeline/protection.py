"""What a protected environment wants of a build before it is released there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stagekit.errors import InputError
from stagekit.inputs.settings import Policy
from stagekit.records import CI, Build


def check_protection(
    policy: Policy,
    build: Build,
    *,
    env: str,
    pushed: bool,
    uncommitted: Sequence[str] = (),
    ci: CI | None,
    confirmed: str | None,
) -> None:
    """Refuse a build that an environment's policy does not let in.

    Args:
        policy: the environment's.
        build: what would be released.
        env: the environment's name.
        pushed: whether a remote has the build's commit.
        uncommitted: files that a release is made of and that are not as committed.
        ci: the CI job this runs in: there nobody can type a confirmation, and starting the job was
            one.
        confirmed: what was typed.

    Raises:
        InputError: names everything that is missing, each by its setting.
    """
    lacking = list(_lacking(policy, build, pushed, uncommitted))
    if policy.wants("confirm") and not ci and confirmed != env:
        typed = f", not {confirmed!r}" if confirmed else ""
        lacking.append(f"confirm: its name has to be typed{typed}: --confirm {env}")
    if lacking:
        raise InputError(
            f"build {build.id} may not be released to {env}: {lacking[0]}"
            if len(lacking) == 1
            else f"build {build.id} may not be released to {env}",
            where=f"environments/{env}/config.toml [stagekit]",
            hint="release a build that fits (inv build.list), or change that setting",
            output=tuple(lacking) if len(lacking) > 1 else (),
        )


def _lacking(
    policy: Policy, build: Build, pushed: bool, uncommitted: Sequence[str]
) -> Iterator[str]:
    source = build.source
    if policy.wants("require_clean") and (source.dirty or not source.commit):
        made_from = "uncommitted changes" if source.commit else "no commit"
        yield f"require_clean: it was made from {made_from}"
    if policy.wants("require_clean") and uncommitted:
        yield f"require_clean: not as committed: {', '.join(uncommitted)}"
    if policy.wants("require_pushed") and not pushed:
        yield "require_pushed: no remote has its commit (git push, or git fetch if it has)"
    if policy.require_ci and not build.ci:
        yield "require_ci: it was not made on a CI"
