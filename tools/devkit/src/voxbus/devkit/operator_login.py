"""As whom commands log in to NATS."""

from __future__ import annotations

import dataclasses

from voxbus.common import bus as common
from voxbus.common.bus import BusConfig
from voxbus.common.settings import ServiceSettings, load
from voxbus.common.trust.files import key_file
from voxbus.common.trust.rights import OPERATOR
from voxbus.devkit.stack import KEYS, UP_DIRECTORY

_KEY_OF_UP = key_file(UP_DIRECTORY / KEYS, OPERATOR)


def bus_config() -> BusConfig:
    """As services are told (``NATS_URL``, ``NATS_NKEY_FILE``...), else as the operator of ``voxbus up`` in this folder.

    Raises SettingsError.
    """
    config = common.bus_config(load(ServiceSettings), OPERATOR, "voxbus devkit")
    if not config.has_login and config.url == BusConfig.url and _KEY_OF_UP.exists():
        return dataclasses.replace(config, nkey_file=_KEY_OF_UP)
    return config


def is_of_up(config: BusConfig) -> bool:
    """Whether we are the operator of ``voxbus up`` because nobody told us otherwise."""
    return config.nkey_file == _KEY_OF_UP
