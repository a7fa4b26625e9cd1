"""Twenty channels from any set of signals: compared with the potentials that the file was made of.

Potentials are arbitrary numbers, one per electrode, each signal their difference in float64; so a
wrong weight anywhere shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hmsprep.errors import DataError, ParameterError
from hmsprep.importing.channels import LEFT, MIDLINE, RIGHT, Chosen, choose_signals
from hmsprep.importing.electrodes import read_label
from hmsprep.importing.splines import spline_weights
from hmsstore.montage import ELECTRODES, PAIRS, sphere
from hmsstore.schema import CHANNELS

RNG = np.random.default_rng(4)
TRUTH = {name: RNG.normal(scale=100, size=50) for name in (*CHANNELS, "A1", "A2", "REF", "FCZ")}
NEW = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
CHB = [f"{NEW.get(a, a)}-{NEW.get(b, b)}".upper() for a, b in PAIRS]


def potential(label: str) -> np.ndarray:
    found = read_label(label)
    if found is None:
        return np.full(50, 1e6)  # must never be used
    electrode, second = found
    return TRUTH[electrode] - TRUTH.get(second, np.zeros(50))


def mixed(chosen: Chosen, labels: Sequence[str]) -> dict[str, np.ndarray]:
    def read(numbers: Sequence[int], first: int, stop: int) -> np.ndarray:
        return np.stack([potential(labels[n])[first:stop] for n in numbers])

    return dict(zip(CHANNELS, chosen.mixed(read, 0, 50), strict=True))


def assert_pairs(found: dict[str, np.ndarray], pairs: Sequence[tuple[str, str]] = PAIRS) -> None:
    for a, b in pairs:
        np.testing.assert_allclose(found[a] - found[b], TRUTH[a] - TRUTH[b], atol=1e-3)


@pytest.mark.parametrize("common", ["Pz", "Fp2", "FCz", "REF", "A1"])
def test_one_second_part_is_a_common_reference_wherever_it_sits(common: str) -> None:
    labels = [f"EEG {name}-{common}" for name in ELECTRODES if name != common] + ["ECG"]
    chosen = choose_signals([*labels, "T9-FT9", "A2"], {}, "x")
    assert (chosen.reference, chosen.references) == (
        "scalp", (common if common in CHANNELS else common.upper(),),
    )  # fmt: skip
    assert chosen.filled == chosen.notes == chosen.interpolated == ()
    found = mixed(chosen, labels)
    base = TRUTH.get(common, TRUTH.get(common.upper()))
    for name in ELECTRODES:
        np.testing.assert_allclose(found[name], TRUTH[name] - base, atol=1e-3)
    assert found["EKG"] == pytest.approx(TRUTH["EKG"], abs=1e-3)


def test_bipolar_pairs_give_every_difference_and_start_each_chain_at_zero() -> None:
    labels = [*CHB, "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8", "-", "."]
    chosen = choose_signals(labels, {}, "x")
    assert (chosen.reference, chosen.references, chosen.filled) == ("chains", (), ("EKG",))
    assert "#19 'P7-T7'" in chosen.notes[0]
    assert "'T8-P8' and #23 'T8-P8'" in chosen.notes[1]
    found = mixed(chosen, labels)
    assert_pairs(found)
    assert not any(found[name].any() for name in ("Fp1", "Fp2", "Fz"))


def test_quantised_pairs_stay_within_a_step() -> None:
    """A sum along a chain of eight would add up eight roundings."""
    step = 0.5
    chosen = choose_signals(CHB, {}, "x")

    def read(numbers: Sequence[int], first: int, stop: int) -> np.ndarray:
        return np.stack([np.round(potential(CHB[n]) / step) * step for n in numbers])

    found = dict(zip(CHANNELS, chosen.mixed(read, 0, 50), strict=True))
    errors = [np.abs(found[a] - found[b] - TRUTH[a] + TRUTH[b]).max() for a, b in PAIRS]
    assert max(errors) <= step


@pytest.mark.parametrize("lost", ["F7-T7", "P3-O1", "FP2-F4"])
def test_a_pair_that_is_missing_follows_from_the_others_of_its_ring(lost: str) -> None:
    labels = [label for label in CHB if label != lost]
    assert_pairs(mixed(choose_signals(labels, {}, "x"), labels))


def test_pairs_of_any_order_that_lead_everywhere_are_a_reference() -> None:
    """A transverse montage links left and right, so averages are right too."""
    rows = ["F7-F3 F3-Fz Fz-F4 F4-F8", "T3-C3 C3-Cz Cz-C4 C4-T4", "T5-P3 P3-Pz Pz-P4 P4-T6"]
    labels = [*" ".join(rows).split(), "Fz-Cz", "Cz-Pz", "Fp1-F3", "Fp2-F4", "P3-O1", "O2-P4"]
    chosen = choose_signals(labels, {}, "x")
    assert (chosen.reference, chosen.references) == ("scalp", ())
    found = mixed(chosen, labels)
    for name in ELECTRODES:
        np.testing.assert_allclose(found[name], TRUTH[name] - TRUTH["Fp1"], atol=1e-3)


def test_sides_with_references_of_their_own_are_chains() -> None:
    labels = [f"{n}-A1" for n in (*LEFT, *MIDLINE)] + [f"{n}-A2" for n in RIGHT]
    chosen = choose_signals(labels, {}, "x")
    assert (chosen.reference, chosen.references) == ("chains", ("A1", "A2"))
    assert_pairs(mixed(chosen, labels))


def test_an_electrode_of_another_reference_is_never_mixed_in() -> None:
    labels = [f"{n}-REF" for n in ELECTRODES if n != "Cz"] + ["Cz-A1"]
    chosen = choose_signals(labels, {}, "x")
    assert chosen.filled == ("Cz", "EKG")
    assert any("#19 'Cz-A1' is measured against" in note for note in chosen.notes)
    crossed = [f"{n}-{'A2' if n == 'C3' else 'A1'}" for n in ELECTRODES]
    with pytest.raises(DataError, match="lacks C3 of the 16"):
        choose_signals(crossed, {}, "x")


def test_an_unnamed_reference_among_named_ones_is_said() -> None:
    labels = [f"{n}-LE" for n in ELECTRODES if n != "O2"] + ["O2"]
    chosen = choose_signals(labels, {}, "x")
    assert chosen.reference == "scalp"
    assert "#19 'O2': no reference is named" in chosen.notes[0]


@pytest.mark.parametrize("second", ["Lap", "CSD", "SD"])
def test_a_laplacian_is_no_common_reference_and_that_is_said(second: str) -> None:
    chosen = choose_signals([f"{name}-{second}" for name in ELECTRODES], {}, "x")
    assert len(chosen.notes) == 1
    assert f"against {second.upper()}, by its name the mean" in chosen.notes[0]
    assert not choose_signals([f"{name}-LE" for name in ELECTRODES], {}, "x").notes


def test_two_signals_of_an_electrode_are_told_apart_by_number() -> None:
    labels = [*CHANNELS, "F3"]
    with pytest.raises(DataError, match=r"#2 'F3' and #21 'F3'.*--rename '#21=none'"):
        choose_signals(labels, {}, "x")
    assert choose_signals(labels, {"#21": "none"}, "x").mix["F3"] == {1: 1.0}
    assert choose_signals(labels, {"#2": "none"}, "x").mix["F3"] == {20: 1.0}
    with pytest.raises(DataError, match=r"2 signals 'F3' \(#2, #21\).*'#21=none'"):
        choose_signals(labels, {"F3": "none"}, "x")
    assert choose_signals([*CHANNELS, "Fz", "EKG2"], {}, "x").mix["Fz"] == {
        CHANNELS.index("Fz"): 1.0
    }


def test_names_that_fit_nothing_are_said_or_refused() -> None:
    chosen = choose_signals(CHANNELS, {"EEG 7": "Fp1"}, "x")
    assert chosen.notes == ("No signal is named 'EEG 7', so --rename EEG 7=Fp1 does nothing.",)
    with pytest.raises(ParameterError, match=r"expected a channel.*got 'Fq1'"):
        choose_signals(CHANNELS, {"Fp1": "Fq1"}, "x")


def test_every_label_stands_in_the_message() -> None:
    labels = [f"CH {n:02d}" for n in range(30)]
    with pytest.raises(DataError) as raised:
        choose_signals(labels, {}, "x")
    assert all(f"#{n + 1} 'CH {n:02d}'" in str(raised.value) for n in range(30))


def test_a_signal_that_cannot_be_read_costs_only_itself() -> None:
    labels = list(CHANNELS)
    broken = {labels.index(name): f"{name} is broken." for name in ("Cz", "EKG")}
    chosen = choose_signals(labels, {}, "x", unusable=broken)
    assert chosen.filled == ("Cz", "EKG")
    assert chosen.notes == ("Cz is broken.", "EKG is broken.")
    with pytest.raises(DataError, match=r"x: C3 is broken.*--interpolate"):
        choose_signals(labels, {}, "x", unusable={labels.index("C3"): "C3 is broken."})
    leads = [*labels, "ECG II"]
    second = choose_signals(leads, {}, "x", unusable={labels.index("EKG"): "EKG is broken."})
    assert second.mix["EKG"] == {20: 1.0}


def test_splines_are_those_of_mne() -> None:
    interpolation = pytest.importorskip("mne.channels.interpolation", reason="MNE")
    places = sphere()
    known = [name for name in ELECTRODES if name not in ("T3", "O2")]
    theirs = interpolation._make_interpolation_matrix(
        np.stack([places[n] for n in known]), np.stack([places[n] for n in ("T3", "O2")])
    )
    np.testing.assert_allclose(spline_weights(known, ["T3", "O2"]), theirs, atol=1e-6)


@pytest.mark.parametrize("layout", ["scalp", "chains"])
def test_a_missing_electrode_is_interpolated_on_request(layout: str) -> None:
    lost = "F7"
    labels = list(ELECTRODES) if layout == "scalp" else CHB
    labels = [label for label in labels if lost not in label.split("-")]
    with pytest.raises(DataError, match=r"lacks F7.*--interpolate"):
        choose_signals(labels, {}, "x")
    chosen = choose_signals(labels, {}, "x", interpolate=True)
    assert (chosen.reference, chosen.interpolated) == (layout, (lost,))
    found = mixed(chosen, labels)
    others = [n for n in (ELECTRODES if layout == "scalp" else LEFT) if n != lost]
    (weights,) = spline_weights(others, [lost])
    expected = sum(weight * TRUTH[n] for weight, n in zip(weights, others, strict=True))
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(found[lost] - found["F3"], expected - TRUTH["F3"], atol=1e-3)
    assert_pairs(found, [pair for pair in PAIRS if lost not in pair])


def test_too_many_missing_electrodes_are_refused_even_on_request() -> None:
    labels = [name for name in ELECTRODES if name not in ("F7", "T3", "T5", "O1", "Fp2")]
    with pytest.raises(DataError, match="At most a quarter"):
        choose_signals(labels, {}, "x", interpolate=True)
    chosen = choose_signals([*labels, "Fp2"], {}, "x", interpolate=True)
    assert chosen.interpolated == ("F7", "T3", "T5", "O1")


def test_a_second_set_of_signals_is_said_to_be_left_unread() -> None:
    labels = [f"{name}-AVG" for name in ELECTRODES] + [f"{name}-REF" for name in ELECTRODES]
    chosen = choose_signals(labels, {}, "x")
    assert chosen.references == ("AVG",)
    assert "Signals measured against AVG are read, and not others" in chosen.notes[0]
    assert "#20 'Fp1-REF', #21 'F3-REF', #22 'C3-REF' ..." in chosen.notes[0]
    (note,) = choose_signals([*ELECTRODES, "EEG FP1-REF"], {}, "x").notes
    assert "Signals without a reference in their labels are read" in note
    assert choose_signals([*ELECTRODES, "Fp1-F7", "A1-REF"], {}, "x").notes == ()


def test_an_electrode_of_another_reference_is_named_with_a_way_on() -> None:
    labels = [f"{name}-{'AVG' if name == 'F4' else 'REF'}" for name in ELECTRODES]
    number = labels.index("F4-AVG")
    with pytest.raises(DataError) as refused:
        choose_signals(labels, {}, "x")
    assert f"lacks F4 of the 16 electrodes of the montage: #{number + 1} 'F4-AVG' is measured " in (
        str(refused.value)
    )
    assert f"--rename '#{number + 1}=F4-REF'" in str(refused.value)
    pairs = [f"{front}-{back} left" for front, back in PAIRS]  # which is no way on
    with pytest.raises(DataError, match=r"It has #1 .*--rename '#1=Fp1'"):
        choose_signals(pairs, {}, "x")
    with pytest.raises(DataError, match=r"It has #1 'A1', .*, #64 'A64' and 76 more signals\. If"):
        choose_signals([f"A{number}" for number in range(1, 141)], {}, "x")
    renamed = choose_signals(labels, {f"#{number + 1}": "F4-REF"}, "x")
    assert (renamed.reference, renamed.references) == ("scalp", ("REF",))
