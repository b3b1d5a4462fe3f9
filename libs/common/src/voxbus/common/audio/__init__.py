"""Telephone audio: mu-law, framing, resampling, levels, fades.

Linear samples are numpy int16 arrays, mu-law is bytes at 8 kHz, one byte a sample.
"""

from voxbus.common.audio.fades import fade_in, fade_out
from voxbus.common.audio.framing import FRAME_BYTES, FRAME_MS, HZ, Framer, bytes_of, ms_of
from voxbus.common.audio.levels import active_level_dbfs, peak_dbfs, rms_dbfs
from voxbus.common.audio.loudness import (
    PEAK_DBFS,
    TARGET_DBFS,
    Limiter,
    gain_to_target_db,
    normalize,
)
from voxbus.common.audio.mulaw import SILENCE, Pcm, mulaw_decode, mulaw_decode_float, mulaw_encode
from voxbus.common.audio.resample import Resampler

__all__ = [
    "FRAME_BYTES",
    "FRAME_MS",
    "HZ",
    "PEAK_DBFS",
    "SILENCE",
    "TARGET_DBFS",
    "Framer",
    "Limiter",
    "Pcm",
    "Resampler",
    "active_level_dbfs",
    "bytes_of",
    "fade_in",
    "fade_out",
    "gain_to_target_db",
    "ms_of",
    "mulaw_decode",
    "mulaw_decode_float",
    "mulaw_encode",
    "normalize",
    "peak_dbfs",
    "rms_dbfs",
]
