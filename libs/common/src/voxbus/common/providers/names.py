"""Providers in settings: lists of names, and the variables that one needs."""

from __future__ import annotations

from collections.abc import Collection

from voxbus.common.errors import SettingsError


def chosen(variable: str, value: str, known: Collection[str]) -> tuple[str, ...]:
    """The names of a list with commas, best first. Raises SettingsError that says which there are."""
    names = tuple(dict.fromkeys(name for part in value.split(",") if (name := part.strip())))
    there_are = ", ".join(sorted(known))
    if not names:
        raise SettingsError(f"{variable} names no provider; there are: {there_are}")
    for name in names:
        if name not in known:
            raise SettingsError(f"{variable}: there is no provider {name!r}; there are: {there_are}")
    return names


def needed(provider: str, variable: str, value: str | None) -> str:
    """``value``, or SettingsError that names the variable to set."""
    if not value:
        raise SettingsError(f"{variable} is not set: the provider {provider} needs it")
    return value
