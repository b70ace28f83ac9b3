"""What every `stagekit.protocols.SecretProvider` keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.protocols import SecretProvider

_MISSING = "NO_SUCH_SECRET_OF_THE_CONTRACT"


@dataclass(frozen=True)
class SecretsAtHand:
    """A provider, and what it has.

    Attributes:
        provider: what is looked at.
        values: secrets that it knows, by name; two at least, and none empty.
        layers: the folders of the environment's layers that hold them, where it has such.
    """

    provider: SecretProvider
    values: Mapping[str, str]
    layers: Sequence[Path] = field(default=())


class SecretProviderContract:
    """Inherit it, and give the fixture ``at_hand``."""

    @pytest.fixture
    def at_hand(self) -> SecretsAtHand:
        """The provider that is looked at, and what it has."""
        raise NotImplementedError("give a fixture `at_hand` that returns a SecretsAtHand")

    def test_what_a_release_carries_gives_the_values(self, at_hand: SecretsAtHand) -> None:
        """All that a run needs travels in the release, or is asked for at the run."""
        carried = at_hand.provider.carried(list(at_hand.values), at_hand.layers)
        got = at_hand.provider.values(list(at_hand.values), carried)
        assert dict(got) == dict(at_hand.values)

    def test_only_what_is_asked_for_is_told(self, at_hand: SecretsAtHand) -> None:
        """One that uses a single secret gets that, and no other."""
        name = next(iter(at_hand.values))
        carried = at_hand.provider.carried([name], at_hand.layers)
        got = at_hand.provider.values([name], carried)
        assert dict(got) == {name: at_hand.values[name]}
        assert dict(at_hand.provider.values([], at_hand.provider.carried([], at_hand.layers))) == {}

    def test_nothing_in_clear_is_carried(self, at_hand: SecretsAtHand) -> None:
        """A release lies on disks and in repositories: no value stands in it."""
        carried = at_hand.provider.carried(list(at_hand.values), at_hand.layers)
        for value in at_hand.values.values():
            assert all(value.encode() not in data for data in carried.values())

    def test_its_names_are_those_it_has(self, at_hand: SecretsAtHand) -> None:
        """Or it says that only a run can tell."""
        names = at_hand.provider.names(at_hand.layers)
        assert names is None or set(at_hand.values) <= set(names)

    def test_the_same_secrets_carry_the_same(self, at_hand: SecretsAtHand) -> None:
        """Or the same inputs would make different releases."""
        names = list(at_hand.values)
        first = at_hand.provider.carried(names, at_hand.layers)
        again = at_hand.provider.carried(list(reversed(names)), at_hand.layers)
        assert dict(first) == dict(again)

    def test_a_missing_one_is_named_and_no_other_told(self, at_hand: SecretsAtHand) -> None:
        """With the way out, and without the value of any that is there."""
        names = list(at_hand.values)
        carried = at_hand.provider.carried(names, at_hand.layers)
        with pytest.raises(InputError, match=_MISSING) as caught:
            at_hand.provider.values([*names, _MISSING], carried)
        said = f"{caught.value} {caught.value.hint} {caught.value.output}"
        assert not any(value in said for value in at_hand.values.values())
