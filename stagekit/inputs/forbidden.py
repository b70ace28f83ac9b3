"""What a release may not hold: clear secrets, values from the runner's shell, and paths of the
machine that releases. Compose leaves paths as they were written: what is relative means nothing on
another machine.
"""

from __future__ import annotations

import re

from stagekit.errors import ReleaseFailed
from stagekit.inputs.files import FOLDER
from stagekit.inputs.merge import Tree
from stagekit.inputs.names import SOURCE

_ALLOWED = ("/", f"./{FOLDER}/", f"${{{SOURCE}}}")
"""What a mount may show: the engine's host, the release's files, the source where it is let."""


_HOOKS = ("post_start", "pre_stop")
_OF_THE_RUNNER = {
    "credential_spec": "is a file of the machine that runs the release",
    "models": "are not sealed: what they are is decided where the release is run",
    "provider": "is a program of the machine that runs the release",
    "use_api_socket": "hands the credentials of whoever runs the release to the container",
}
"""What Compose takes from the machine that it runs on, and what is wrong with each."""


def refuse_forbidden(model: Tree) -> None:
    """Look through a Compose model that is about to be sealed.

    Raises:
        ReleaseFailed: says what, where, and what to write instead.
    """
    _refuse_clear_secrets(model)
    _refuse_open_configs(model)
    _refuse_volume_paths(model)
    for name, service in model["services"].items():
        _refuse_open_environment(name, service)
        _refuse_what_the_runner_has(name, service)
        _refuse_mounts(name, service)
        _refuse_host_files(name, service)


def _refuse_clear_secrets(model: Tree) -> None:
    for name, secret in (model.get("secrets") or {}).items():
        if "file" in secret or "content" in secret:
            raise ReleaseFailed(
                f"secret {name} would stand in the release in clear",
                where=f"secrets.{name}",
                hint=f"write secrets.{name}.environment: NAME; run asks the environment's secret "
                "provider for it",
            )


def _refuse_open_configs(model: Tree) -> None:
    for name, config in (model.get("configs") or {}).items():
        if "environment" in config:
            raise ReleaseFailed(
                f"config {name} would come from the shell of whoever runs the release",
                where=f"configs.{name}.environment",
                hint=f"write configs.{name}.content, with ${{NAME}} in it",
            )


def _refuse_volume_paths(model: Tree) -> None:
    for name, volume in (model.get("volumes") or {}).items():
        device = str(((volume or {}).get("driver_opts") or {}).get("device", ""))
        path = "/" in device and ":" not in device  # a share is HOST:/PATH
        if _is_relative(device) or (path and not device.startswith("/")):
            raise ReleaseFailed(
                f"{device} is a path of the machine that releases",
                where=f"volumes.{name}.driver_opts.device",
                hint="leave driver_opts out for a volume that Docker keeps, or name a folder of "
                "the engine's host",
            )


def _refuse_open_environment(name: str, service: Tree) -> None:
    hooks = [hook for kind in _HOOKS for hook in service.get(kind) or []]
    for given in (service, *hooks):
        for key, value in (given.get("environment") or {}).items():
            if value is None:
                raise ReleaseFailed(
                    f"{key} has no value: it would come from the shell of whoever runs the release",
                    where=f"services.{name}.environment",
                    hint=f"set {key} in environments/<env>/config.toml [vars]",
                )


def _refuse_what_the_runner_has(name: str, service: Tree) -> None:
    for key, why in _OF_THE_RUNNER.items():
        if service.get(key):
            raise ReleaseFailed(f"{key} {why}", where=f"services.{name}.{key}")


def _refuse_mounts(name: str, service: Tree) -> None:
    for mount in service.get("volumes") or []:
        source = str(mount.get("source", "/"))
        if mount.get("type") == "bind" and not source.startswith(_ALLOWED):
            raise ReleaseFailed(
                f"{source} is a path of the machine that releases",
                where=f"services.{name}.volumes",
                hint="COPY it into the image; if it is config, move it below "
                "environments/<env>/files/; where it is for development, source_mounts = true in "
                "that environment's [stagekit]",
            )
        if mount.get("type") == "image" and "@sha256:" not in source:
            raise ReleaseFailed(
                f"{source} may be another image tomorrow",
                where=f"services.{name}.volumes",
                hint="name it by its digest: IMAGE@sha256:…",
            )
        if not str(mount.get("target", "/")).startswith("/"):
            raise ReleaseFailed(
                f"{mount['target']!r} is no absolute path in the container",
                where=f"services.{name}.volumes",
                hint="volumes of one letter need the long form: source and target",
            )


def _refuse_host_files(name: str, service: Tree) -> None:
    for device in service.get("devices") or []:
        source = str(device.get("source", "/"))
        if not source.startswith("/") and "=" not in source:  # a CDI device is VENDOR/CLASS=NAME
            raise ReleaseFailed(
                f"{device['source']} is a path of the machine that releases",
                where=f"services.{name}.devices",
            )
    for option in service.get("security_opt") or []:
        profile = re.fullmatch(r"seccomp[:=](.*)", option)
        if profile and not profile[1].startswith(("/", "{", "unconfined", "builtin")):
            raise ReleaseFailed(
                f"{profile[1]} is a file of the machine that releases",
                where=f"services.{name}.security_opt",
                hint="name a profile by its absolute path on the engine's host",
            )


def _is_relative(path: str) -> bool:
    return path.startswith(("./", "../", "~"))
