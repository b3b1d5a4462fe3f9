"""The gate between an echo and a caller, on virtual time."""

from __future__ import annotations

import pytest

from voxbus.stt.core_echo import HIGHEST_DBFS, LOUDEST_ECHO_DBFS, LOWEST_DBFS, TAIL_MS, EchoGate


def passes(gate: EchoGate, level_dbfs: float, *, speaking: bool = False) -> bool:
    return gate.passes(level_dbfs, speech=True, speaking=speaking)


def test_nothing_is_held_back_while_the_agent_is_silent() -> None:
    gate = EchoGate()
    assert gate.is_open(1000, audible=False)
    assert not gate.is_open(1032, audible=True)
    assert not gate.is_open(1032 + TAIL_MS, audible=False)  # the echo is late
    assert gate.is_open(1033 + TAIL_MS, audible=False)


@pytest.mark.parametrize("level_dbfs", [-54.0, -44.0, -36.0])
def test_an_echo_of_minus_24_db_never_passes(level_dbfs: float) -> None:
    gate = EchoGate()
    assert not any(passes(gate, level_dbfs) for _ in range(3000))


@pytest.mark.parametrize("level_dbfs", [-32.0, -22.0, -10.0])
def test_a_caller_passes_at_once(level_dbfs: float) -> None:
    assert passes(EchoGate(), level_dbfs)


def test_a_caller_who_was_let_through_may_become_quieter() -> None:
    gate = EchoGate()
    assert passes(gate, -30.0)
    assert passes(gate, -40.0, speaking=True)
    assert not passes(gate, -40.0)


def test_a_loud_echo_passes_once_and_is_learnt() -> None:
    gate = EchoGate()
    assert passes(gate, -30.0)
    gate.judged(caller=False)
    assert not passes(gate, -28.0)
    assert passes(gate, -22.0)


def test_what_a_caller_said_teaches_nothing_about_the_echo() -> None:
    gate = EchoGate()
    before = gate.dbfs
    assert passes(gate, -20.0)
    gate.judged(caller=True)
    gate.judged(caller=False)
    assert gate.dbfs == before


def test_a_hum_is_too_loud_to_be_an_echo() -> None:
    gate = EchoGate()
    before = gate.dbfs
    assert passes(gate, -15.0)
    gate.judged(caller=False)
    assert gate.dbfs == before
    assert passes(gate, -30.0)


def test_a_line_without_an_echo_is_believed_after_a_while() -> None:
    gate = EchoGate()
    for _ in range(200):  # some 6 s
        gate.passes(-90.0, speech=False, speaking=False)
    assert gate.dbfs == LOWEST_DBFS
    assert passes(gate, -44.0)


def test_the_gate_never_shuts_callers_out() -> None:
    gate = EchoGate()
    assert passes(gate, LOUDEST_ECHO_DBFS)
    gate.judged(caller=False)
    assert gate.dbfs == HIGHEST_DBFS
