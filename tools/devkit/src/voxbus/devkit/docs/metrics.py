"""docs/metrics.md: every metric of every service, from the modules that make them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from voxbus.devkit.docs.configuration import settings_classes

_INTRO = """\
# Metrics

<!-- Made by `make docs` from the modules of the services. Do not edit. -->

Each process answers `/metrics` in Prometheus' text format on `METRICS_PORT`, besides `/health` and `/ready`. Durations
are histograms in milliseconds, of which Prometheus sees `_bucket`, `_sum` and `_count`. No label holds a call, a number
or words of anybody: what happened in one call is in its log. `process_*` and `python_*` of the Prometheus client come
on top. The gateway takes no jobs, so that its `jobs_*` stay 0.
"""

#: Modules that run when they are imported.
_PROGRAMS: Final = ("__main__", "migrations")

_SUFFIX: Final = {"counter": "_total"}


@dataclass(frozen=True)
class Metric:
    """``module`` makes it. ``name`` as Prometheus sees it."""

    module: str
    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    def row(self) -> str:
        labels = ", ".join(f"`{label}`" for label in self.labels)
        return f"| `{self.name}` | {self.kind} | {labels} | {self.meaning} |\n"


def page() -> str:
    return _INTRO + "".join(_section(part, metrics) for part, metrics in by_part().items())


def by_part() -> dict[str, list[Metric]]:
    """What ``common`` makes is in every service."""
    found = {}
    for part in ("common", *settings_classes()):
        unique = {metric.name: metric for metric in _metrics(part)}
        found[part] = [unique[name] for name in sorted(unique)]
    return found


def _section(part: str, metrics: list[Metric]) -> str:
    title = "Every service" if part == "common" else part
    head = f"\n## {title}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n"
    return head + "".join(metric.row() for metric in metrics)


def _metrics(part: str) -> Iterator[Metric]:
    for module in _modules(f"voxbus.{part}"):
        for value in vars(importlib.import_module(module)).values():
            if isinstance(value, MetricWrapperBase):
                (described,) = value.describe()
                name = described.name + _SUFFIX.get(described.type, "")
                yield Metric(module, name, described.type, value._labelnames, described.documentation)


def _modules(package: str) -> Iterator[str]:
    yield package
    for found in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        if found.name.rpartition(".")[2] in _PROGRAMS:
            continue
        if found.ispkg:
            yield from _modules(found.name)
        else:
            yield found.name
