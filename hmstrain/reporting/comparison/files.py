"""A calibration or a blend -> its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hmsstore.atomic import is_empty
from hmsstore.view.saving import save
from hmstrain.errors import RunError
from hmstrain.prediction.tables import exact, rounded, write_csv
from hmstrain.reporting.comparison.table import precise_text
from hmstrain.runs import plots
from hmstrain.runs.json_file import write_sealed
from hmstrain.scoring import blending, calibration
from hmstrain.scoring.answers.columns import OBSERVED, PATIENT, VOTES
from hmstrain.scoring.answers.matched import Matched
from hmstrain.scoring.answers.read import PREDICTED
from hmstrain.scoring.blending import Blended
from hmstrain.scoring.calibrate import Calibrated

PICTURE = "calibration.png"


def write_calibration(found: Calibrated, folder: Path) -> Path:
    """Write calibration.json and a picture of reliability before and after; return the former.

    Raises
    ------
    RunError
        The folder is not of a run, a blend or a calibration.
    """
    own = (calibration.FILE, blending.FILE, "config.json", PREDICTED)
    _refuse_others(folder, lambda: any((folder / name).is_file() for name in own))
    folder.mkdir(parents=True, exist_ok=True)
    before, after = found.answers["as it is"], found.answers["temperature and bias"]
    panels = {"as it is": before, "calibrated, cross-fitted": after}
    save(plots.reliability(found.judged.target, panels), folder / PICTURE, dpi=110)
    path = folder / calibration.FILE
    write_sealed(path, {**found.calibration.to_json(), "worth": found.to_json()["cross_fitted"]})
    return path


def write_blend(found: Blended, out: Path) -> None:
    """Write blend.json, and the blended probabilities of all rows as predictions.csv.

    Raises
    ------
    RunError
        The folder holds something else.
    """
    _refuse_others(out, (out / blending.FILE).is_file)
    for member in found.blend.members:
        if any(Path(path).resolve().is_relative_to(out.resolve()) for path in member.paths):
            raise RunError(f"--out {out} holds {member.name}, which is blended: name another.")
    out.mkdir(parents=True, exist_ok=True)
    for name in (calibration.FILE, PICTURE):  # of the answer that was here before
        (out / name).unlink(missing_ok=True)
    matched = found.matched
    first = matched.answers[0]
    keys = first.class_keys
    names = list(first.ids)
    columns = [first.ids[name].tolist() for name in names]
    if (patient := matched.patient) is not None and PATIENT not in names:
        names, columns = [*names, PATIENT], [*columns, patient.tolist()]
    if np.isfinite(matched.observed).any():
        names, columns = [*names, OBSERVED], [*columns, [*map(rounded, matched.observed.tolist())]]
    lines = (
        (*identity, *voted, *map(exact, probability))
        for *identity, voted, probability in zip(
            *columns, _votes(matched), found.prediction.tolist(), strict=True
        )
    )
    header = (*names, *(VOTES.format(key) for key in keys), *keys)
    write_csv(out / PREDICTED, header, lines)
    write_sealed(out / blending.FILE, blending.seen_from(found, out).to_json())


def _votes(matched: Matched) -> list[list[Any]]:
    """Cells of votes: counts, or shares where the number of some is unknown: no file holds both."""
    if np.isnan(matched.counts).any():
        return matched.shares.tolist()
    return np.round(matched.shares * matched.counts[:, None]).astype(np.int64).tolist()


def _refuse_others(out: Path, is_own: Callable[[], bool]) -> None:
    if out.exists() and not out.is_dir():
        raise RunError(f"--out {out} is not a folder: name another.")
    if out.is_dir() and not is_empty(out) and not is_own():
        raise RunError(f"--out {out} holds something else: name another folder.")


def calibration_table(found: Calibrated) -> tuple[list[str], list[list[str]]]:
    """Header and rows: what each way of calibrating is worth."""
    header = ["", ">KL", ">difference", ">95% interval", ">in sample", ">miscalibrated"]
    rows = [
        [
            kind,
            f"{one.kl:.4f}",
            f"{one.difference:+.4f}",
            precise_text(one.interval),
            f"{one.kl_in_sample:.4f}",
            f"{one.calibration_error:.3f}",
        ]
        for kind, one in found.kinds.items()
    ]
    return header, rows


CALIBRATION_NOTE = (
    "KL: each patient's windows by numbers fitted on other patients; the difference is to 'as it "
    "is'. Miscalibrated: calibration error, debiased, of the same answers."
)
BLEND_NOTE = (
    "KL: each patient's windows by weights fitted on other patients; the difference is to {}, the "
    "best member on these very rows."
)


def blend_table(found: Blended) -> tuple[list[str], list[list[str]]]:
    """Header and rows: each member by itself, and what each way of blending is worth."""
    header = ["", ">KL", ">difference", ">95% interval", ">in sample", "weights"]
    rows = [[name, f"{value:.4f}", "", "", "", ""] for name, value in found.single.items()]
    rows += [
        [
            how,
            f"{one.kl:.4f}",
            f"{one.difference:+.4f}",
            precise_text(one.interval),
            f"{one.kl_in_sample:.4f}",
            ", ".join(f"{weight:.2f}" for weight in one.weights.values()),
        ]
        for how, one in found.hows.items()
    ]
    return header, rows
