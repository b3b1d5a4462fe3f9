"""What the caller hears, and what the caller has heard. Pure: bytes, events and the time in; effects out.

assembly   the audio of one sentence, in order, from messages that may be late, repeated, lost or from two workers
clock      what is audible now, by our own clock
words      which words were in the part that was played
lines      sentences and replies on their way to the caller
sender     lines to frames: pace, marks, cuts
agenda     the replies that are due
stage      the reply that is played
patience   how long to wait for audio that does not come
guard      what to play when nothing comes
player     the decisions: hold, go on, interrupt, whose reply counts
"""

from voxbus.gateway.core_playout.effects import Clear, Effect, Filled, Frames, Mark, Publish
from voxbus.gateway.core_playout.player import Player
from voxbus.gateway.core_playout.timing import Timing

__all__ = ["Clear", "Effect", "Filled", "Frames", "Mark", "Player", "Publish", "Timing"]
