from __future__ import annotations

import pytest

from .sample_call import SampleCall, sample_call


@pytest.fixture(scope="session")
def sample() -> SampleCall:
    return sample_call()
