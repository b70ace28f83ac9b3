"""What the project's settings say of plugins: those of its own, and what shipped ones are told."""

from __future__ import annotations

from typing import Literal

from stagekit.inputs.limits import Seconds
from stagekit.records import Part

Event = Literal["build", "build failed", "release", "run", "run failed"]


class PluginSettings(Part, frozen=True, forbid_unknown_fields=True):
    """``[tool.stagekit.plugins]``; the list alone is ``load``.

    Attributes:
        load: modules, as Python imports them; the project's folder is looked in first.
        disable: names of plugins that are not asked, as `inv plugins` lists them.
    """

    load: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()


class LedgerSettings(Part, frozen=True, forbid_unknown_fields=True):
    """``[tool.stagekit.ledger]``: where records are kept.

    Attributes:
        url: a branch of a git repository, ``git+ssh://git@host/team/ledger.git#branch`` or the path
            of a bare one, or what a plugin knows; empty for files in ``artifacts/``.
            ``STAGEKIT_LEDGER`` beats it.
    """

    url: str = ""


class NotifySettings(Part, frozen=True, forbid_unknown_fields=True):
    """``[tool.stagekit.notify]``: who is told of what.

    Attributes:
        urls: addresses as Apprise has them; ``${NAME}`` is a variable of the process's
            environment. Those in ``STAGEKIT_NOTIFY`` come on top.
        on: of which events.
        environments: of releases and runs, only those; of all, if there are none.
    """

    urls: tuple[str, ...] = ()
    on: tuple[Event, ...] = ("build failed", "run", "run failed")
    environments: tuple[str, ...] = ()


class SbomSettings(Part, frozen=True, forbid_unknown_fields=True):
    """``[tool.stagekit.sbom]``: a bill of materials of each image that is built.

    Attributes:
        format: ``cyclonedx`` or ``spdx``, as JSON.
        timeout: seconds that it may take to look through an image.
    """

    format: Literal["cyclonedx", "spdx"] = "cyclonedx"
    timeout: Seconds = 300.0


class SignSettings(Part, frozen=True, forbid_unknown_fields=True):
    """``[tool.stagekit.sign]``: who signs images and releases, and by which key they are known.

    Attributes:
        key: what signs, as cosign has it: a file in the project, ``env://NAME``, or the address of
            a key in a KMS. Without it nothing is signed here. Its password is in
            ``COSIGN_PASSWORD``.
        public_key: by which a run that verifies knows what was signed, in the same forms.
        transparency_log: write to sigstore's public log what was signed, and ask that it is there.
        timeout: seconds that one signature may take.
    """

    key: str = ""
    public_key: str = ""
    transparency_log: bool = False
    timeout: Seconds = 120.0
