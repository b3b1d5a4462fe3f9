"""What a service of a stack is given of an environment that is meant for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from voxbus.devkit.docs.configuration import settings_classes


def own(service: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Without the settings that others read and ``service`` does not: their secrets are no business of it.

    What is nobody's setting stays: ``PATH``, or a variable of a tool.
    """
    read = _read()
    others = frozenset[str]().union(*read.values()) - read.get(service, frozenset())
    return {name: value for name, value in environment.items() if name not in others}


@cache
def _read() -> dict[str, frozenset[str]]:
    return {
        service: frozenset(name.upper() for name in settings.model_fields)
        for service, settings in settings_classes().items()
    }
