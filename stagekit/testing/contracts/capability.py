"""Cases of a contract that cannot apply to every implementation, by flags of its class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Case = TypeVar("Case", bound=Callable[..., Any])

_NEEDS = "__stagekit_needs__"


def needs(flag: str) -> Callable[[Case], Case]:
    """Mark a case that applies only where the class's attribute ``flag`` is true."""

    def marked(case: Case) -> Case:
        setattr(case, _NEEDS, flag)
        return case

    return marked


class Capable:
    """What a class that inherits it says it cannot do is not collected, rather than skipped: its
    flag says why."""

    def __init_subclass__(cls, **more: object) -> None:
        super().__init_subclass__(**more)
        for name in dir(cls):
            flag = getattr(getattr(cls, name), _NEEDS, None)
            if flag and not getattr(cls, flag):
                setattr(cls, name, None)
