"""Spherical splines (Perrin et al. 1989) -> weights that compute an electrode from others.

Perrin, Pernier, Bertrand, Echallier: Spherical splines for scalp potential and current density
mapping. Electroencephalography and Clinical Neurophysiology 72, 184-187 (1989); corrigendum 76,
565 (1990). Degree and number of terms are those of EEGLAB and MNE.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.polynomial.legendre import legval
from numpy.typing import NDArray

from hmsstore.montage import sphere

DEGREE = 4
"""m of the formulas."""
TERMS = 50
SMOOTHING = 1e-5
"""Added to the diagonal, as MNE does, so that electrodes close to each other do no harm."""


def spline_weights(known: Sequence[str], wanted: Sequence[str]) -> NDArray[np.float64]:
    """Compute the weights of known electrodes in wanted ones.

    Parameters
    ----------
    known, wanted : sequence of str
        Electrodes of the 10-20 system.

    Returns
    -------
    (wanted, known) array
        Each row sums to 1, so that a constant of all electrodes comes through unchanged.
    """
    places = sphere()
    from_xyz = np.stack([places[name] for name in known])
    to_xyz = np.stack([places[name] for name in wanted])
    among = _spline(from_xyz @ from_xyz.T) + SMOOTHING * np.eye(len(known))
    ones = np.ones((len(known), 1))
    system = np.block([[among, ones], [ones.T, np.zeros((1, 1))]])
    across = np.hstack([_spline(to_xyz @ from_xyz.T), np.ones((len(wanted), 1))])
    weights: NDArray[np.float64] = (across @ np.linalg.inv(system))[:, : len(known)]
    return weights


def _spline(cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    """G of the paper (equation 3) at the cosine of the angle between two electrodes."""
    n = np.arange(1, TERMS + 1, dtype=np.float64)
    terms = (2 * n + 1) / (n * (n + 1)) ** DEGREE / (4 * np.pi)
    value: NDArray[np.float64] = legval(np.clip(cosine, -1, 1), [0.0, *terms])
    return value
