"""What the project's settings say of plugins: those of its own, and what shipped ones are told."""

from __future__ import annotations

from typing import Literal

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
