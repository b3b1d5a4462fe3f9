"""The bus: one log of events per call, jobs taken from it, audio beside it.

Bus          connects, appends to logs and reads them, follows them live, opens buckets
AudioLink    core NATS for audio, on a connection of its own
JobRunner    pulls jobs, keeps their leases, hands them over
ensure       the one setup step: streams, consumers, buckets
"""

from voxbus.common.bus.audio_link import AudioLink
from voxbus.common.bus.buckets import Bucket
from voxbus.common.bus.client import Bus
from voxbus.common.bus.config import BusConfig, bus_config
from voxbus.common.bus.following import Follower, OpenLog
from voxbus.common.bus.job import Job
from voxbus.common.bus.jobs import JobRunner
from voxbus.common.bus.log import Condition, not_ended, under
from voxbus.common.bus.peers import Peers
from voxbus.common.bus.setup import Placement, ensure
from voxbus.common.bus.subscription import Subscription

__all__ = [
    "AudioLink",
    "Bucket",
    "Bus",
    "BusConfig",
    "Condition",
    "Follower",
    "Job",
    "JobRunner",
    "OpenLog",
    "Peers",
    "Placement",
    "Subscription",
    "bus_config",
    "ensure",
    "not_ended",
    "under",
]
