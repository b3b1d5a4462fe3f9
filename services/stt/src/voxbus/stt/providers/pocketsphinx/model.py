"""The acoustic model of the wheel, made to fit a telephone line.

PocketSphinx brings a model for 16 kHz: Gaussians over 13 cepstra of 25 mel bands between 130 and 6800 Hz. A telephone
line ends below 4 kHz, and upsampling cannot bring back what the upper bands held, so every sound looks strange to the
model. Cepstra are a linear transform of the log energies of the bands. So from the means of the model follow, by
another one, the means that a model of the lower bands alone would have:

    cepstra (13 of 25 bands) -> log energies of the bands -> the lowest 19 -> cepstra (10 of 19 bands)

Of deltas the same holds. Variances follow with the squares, as far as the 13 cepstra know the bands; for the rest (the
12 cepstra that were cut off) the variance of the last one known is taken. No data is needed, and nothing is trained.
Front end: the same bands in the same places (the spacing in mel and the 31.25 Hz raster of the spectrum stay).
"""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxbus.common.errors import ProviderError

HZ: Final = 8000

#: feat.params of the model in the wheel.
_LOW_HZ: Final = 130.0
_HIGH_HZ: Final = 6800.0
_BANDS: Final = 25
_CEPSTRA: Final = 13
_LIFTER: Final = 22

#: The bands below 3.9 kHz, and as many cepstra as resolve the same detail: 13 of 25 are 10 of 19.
_LINE_BANDS: Final = 19
_LINE_CEPSTRA: Final = 10

_STREAMS: Final = 3
_MAGIC: Final = 0x11223344
_END_OF_HEADER: Final = b"endhdr\n"

Matrix = NDArray[np.float64]


def derive(source: Path, target: Path) -> Path:
    """Writes the line's model to the folder ``target``. Raises ProviderError when ``source`` is another model."""
    parameters = (source / "feat.params").read_text()
    for expected in (f"-nfilt {_BANDS}", f"-lifter {_LIFTER}", "-transform dct", "-feat 1s_c_d_dd"):
        if expected not in parameters:
            raise ProviderError("unavailable", f"{source} is not the model that was expected", retry=False)
    target.mkdir(parents=True, exist_ok=True)
    known, cut_off = transforms()
    means = _read(source / "means")
    _write(target / "means", means @ known.T)
    variances = _read(source / "variances")
    last = variances[..., -1:] / _lifter(_CEPSTRA)[-1] ** 2
    _write(target / "variances", variances @ (known**2).T + last * (cut_off**2).sum(axis=1))
    for name in ("mdef", "noisedict", "sendump", "transition_matrices"):
        shutil.copyfile(source / name, target / name)
    (target / "feat.params").write_text(_feature_parameters())
    return target


def transforms() -> tuple[Matrix, Matrix]:
    """(10 x 13, 10 x 12): the line's cepstra from the 13 of the model, and from the 12 that it left out."""
    bands_from_all = _dct(_BANDS, _BANDS).T
    line_from_bands = _lifter(_LINE_CEPSTRA)[:, None] * _dct(_LINE_CEPSTRA, _LINE_BANDS)
    line_from_all = line_from_bands @ bands_from_all[:_LINE_BANDS]
    return line_from_all[:, :_CEPSTRA] / _lifter(_CEPSTRA), line_from_all[:, _CEPSTRA:]


def _dct(cepstra: int, bands: int) -> Matrix:
    """The orthonormal DCT-II, SphinxBase's ``-transform dct``."""
    matrix: Matrix = np.cos(np.pi / bands * np.outer(np.arange(cepstra), np.arange(bands) + 0.5))
    matrix *= np.sqrt(2 / bands)
    matrix[0] /= np.sqrt(2)
    return matrix


def _lifter(cepstra: int) -> Matrix:
    lifter: Matrix = 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(cepstra) / _LIFTER)
    return lifter


def _mel(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))


def _feature_parameters() -> str:
    spacing = (_mel(_HIGH_HZ) - _mel(_LOW_HZ)) / (_BANDS + 1)
    top_mel = _mel(_LOW_HZ) + spacing * (_LINE_BANDS + 1)
    top_hz = 700 * (10 ** (top_mel / 2595) - 1)
    ends = [f"{at * _LINE_CEPSTRA}-{(at + 1) * _LINE_CEPSTRA - 1}" for at in range(_STREAMS)]
    return "\n".join(
        (
            f"-lowerf {_LOW_HZ:.1f}",
            f"-upperf {top_hz:.1f}",
            f"-nfilt {_LINE_BANDS}",
            f"-ncep {_LINE_CEPSTRA}",
            f"-ceplen {_LINE_CEPSTRA}",
            f"-lifter {_LIFTER}",
            f"-svspec {'/'.join(ends)}",
            "-transform dct",
            "-feat 1s_c_d_dd",
            "-agc none",
            "-cmn batch",
            "-varnorm no",
            "-model ptm",
            "-remove_noise yes",
            "",
        )
    )


def _read(path: Path) -> NDArray[np.float32]:
    """Gaussian parameters in the Sphinx-3 format: (codebooks, streams, densities, dimensions)."""
    data = path.read_bytes()
    body = data[data.index(_END_OF_HEADER) + len(_END_OF_HEADER) :]
    magic, codebooks, streams, densities, *sizes, count = struct.unpack_from(f"<{5 + _STREAMS}I", body)
    if magic != _MAGIC or streams != _STREAMS or set(sizes) != {_CEPSTRA}:
        raise ProviderError("unavailable", f"{path} is not the model that was expected", retry=False)
    values = np.frombuffer(body, "<f4", count, struct.calcsize(f"<{5 + _STREAMS}I"))
    return values.reshape(codebooks, streams, densities, _CEPSTRA)


def _write(path: Path, values: NDArray[np.float64]) -> None:
    codebooks, streams, densities, size = values.shape
    sizes = [size] * streams
    header = struct.pack(f"<{5 + streams}I", _MAGIC, codebooks, streams, densities, *sizes, values.size)
    # Without a checksum: the format's own is optional, and the file lives as long as the process.
    path.write_bytes(b"s3\nversion 1.0\n" + _END_OF_HEADER + header + values.astype("<f4").tobytes())
