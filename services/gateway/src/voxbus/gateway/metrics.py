"""What the gateway counts. No label ever holds a call, a number or a text."""

from __future__ import annotations

from voxbus.common import events as ev
from voxbus.common.telemetry import counter, gauge, histogram_ms

CALLS = gauge("gateway_calls", "Calls on a media stream now.")
STREAMS = counter("gateway_streams", "Media streams by how they began.", "began")
CLOSED = counter("gateway_streams_closed", "Media streams by why they ended.", "why")
EVENTS_UNSENT = gauge(
    "gateway_events_unsent", "Events of calls that are over, and that the bus has not taken yet."
)
EVENTS_LOST = counter("gateway_events_lost", "Events of calls that are in no log.")
FRAMES_IN = counter("gateway_frames_in", "Caller frames that came in.")
FRAMES_DROPPED = counter("gateway_frames_dropped", "Caller frames that could not be forwarded.")
AUDIO_DROPPED = counter("gateway_audio_dropped", "Agent audio messages of no use: late, stale or broken.")
BAD_MESSAGES = counter("gateway_bad_messages", "WebSocket messages that were refused, by error code.", "code")
UNKNOWN_MESSAGES = counter(
    "gateway_unknown_messages", "WebSocket messages of an event this build does not know."
)
BAD_REQUESTS = counter(
    "gateway_bad_requests", "HTTP requests and handshakes that were refused, by code.", "code"
)
SLOW_CLIENTS = counter("gateway_slow_clients", "Media streams that did not read what they were sent.")
BAD_AGENTS = counter("gateway_bad_agents", "Agent files that could not be used.")
STREAM_ERRORS = counter(
    "gateway_stream_errors", "Media stream errors that the carrier reported, by its code.", "code"
)
UNDERRUNS = counter("gateway_underruns", "Sentences with a gap inside.")
DEAD_AIR = counter("gateway_dead_air", "Silence while a reply was due, by what filled it.", "kind")
NO_CAPACITY = counter(
    "gateway_no_capacity",
    "Calls that were told that nobody can take them, by whose worker was missing.",
    "lacking",
)
INTERRUPTIONS = counter("gateway_interruptions", "Replies that the caller cut.")
REACTION = histogram_ms("gateway_barge_in_reaction", "First caller frame over the agent to clear sent.")
RESPONSE = histogram_ms("gateway_response", "The caller's last speech to the first agent frame sent.")
SETUP = histogram_ms("gateway_stream_setup", "Start of the stream to the call's event in its log.")
RECORDINGS = counter(
    "gateway_recordings", "Recordings that ended, by whether all of them was written.", "result"
)
RECORDING_LOST = counter("gateway_recording_lost_ms", "Milliseconds of recordings that could not be written.")
RECORDING_WAITING = gauge("gateway_recording_waiting_bytes", "What waits to be written to recordings.")


def observe(event: ev.Event) -> None:
    """What an event of ours says about how well we do."""
    match event:
        case ev.Heard():
            if event.underrun_ms > 0:
                UNDERRUNS.inc()
            if event.response_ms > 0:
                RESPONSE.observe(event.response_ms)
        case ev.Interrupted():
            INTERRUPTIONS.inc()
        case ev.Paused():
            REACTION.observe(event.reaction_ms)
        case _:
            pass
