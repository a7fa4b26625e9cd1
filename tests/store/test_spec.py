"""What a data set consists of: checked whole, written as JSON and read again."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest
from support.other_data import WARD

from hmsstore import HMS, PatternClass, Spec, SpecError


@pytest.mark.parametrize("spec", [HMS, WARD])
def test_a_spec_is_the_same_after_json_whatever_the_order_of_its_keys(spec: Spec) -> None:
    text = json.dumps(spec.to_json(), sort_keys=True)
    read = Spec.from_json(json.loads(text))
    assert read == spec
    assert list(read.chains) == list(spec.chains)
    assert list(read.signals) == list(spec.signals)
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_work_for_hms_sent_to_processes_does_not_carry_its_hundreds_of_names() -> None:
    assert pickle.loads(pickle.dumps(HMS)) is HMS
    assert len(pickle.dumps(HMS)) < 100


def test_keys_that_are_not_known_are_ignored() -> None:
    assert Spec.from_json(WARD.to_json() | {"colour": "blue"}) == WARD


def test_only_hms_itself_is_of_format_version_1() -> None:
    assert HMS.format_version == 1
    assert WARD.format_version == 2
    assert replace(HMS, judged_s=4.0).format_version == 2


def test_what_follows_from_a_spec() -> None:
    assert WARD.class_keys == ("quiet", "burst", "spikes")
    assert WARD.class_titles == ("Quiet sleep", "Burst suppression", "Spikes")
    assert WARD.background_code == 0
    assert replace(WARD, background=None).background_code is None
    assert HMS.judged_from_s == 20
    assert replace(HMS, judged_s=4.0).judged_from_s == 23
    assert HMS.samples_per_row == 400


def test_every_problem_of_a_spec_is_listed() -> None:
    with pytest.raises(SpecError) as caught:
        replace(
            HMS,
            name="Ward 3",
            classes=(PatternClass("a", "B"), PatternClass("b", " "), PatternClass("C", "c")),
            background="d",
            chains={"LL": ("Fp1", "EKG"), "RL": ("Fp2",)},
            midline=("Fz", "Q1"),
            heart="ECG",
            judged_s=60.0,
        )
    assert caught.value.problems == (
        "name: expected small letters, digits and underscores, a letter first, got 'Ward 3'",
        "classes: expected as key small letters, digits and underscores, a letter first, got 'C'",
        "classes: 'b' has no title",
        "classes: 'b' names 2 classes, expected one",
        "background: expected the key of a class or none, got 'd'",
        "judged_s: expected over 0 and up to the EEG window's 50 s, got 60",
        "midline: 'Q1' is not an electrode of the EEG",
        "chains: expected two electrodes or more in each, RL has fewer",
        "heart: expected a channel of the EEG or none, got 'ECG'",
        "spectrogram: expected features region by region in the order of the chains, equally "
        "many of each, named REGION_HZ; got LL_0.59, LL_0.78, LL_0.98 ...",
    )
    assert str(caught.value).startswith("The description of the data has 10 problem(s):\n  name:")
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems


def test_every_problem_of_a_json_value_is_listed() -> None:
    with pytest.raises(SpecError) as caught:
        Spec.from_json(
            {
                "name": 3,
                "classes": [{"key": "a"}],
                "background": None,
                "signals": {"eeg": WARD.to_json()["signals"]["eeg"] | {"window_rows": 1.5}},
                "chains": {},
                "heart": None,
                "judged_s": True,
            }
        )
    assert caught.value.problems == (
        "name: expected a text, got 3",
        "classes: title: expected a value, got none",
        "signals: window_rows: expected a whole number, got 1.5",
        "chains: expected a list, got an object",
        "midline: expected a value, got none",
        "judged_s: expected a number, got True",
    )
    with pytest.raises(SpecError, match="expected an object, got \\[\\]"):
        Spec.from_json([])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"row_rate_hz": 0.0}, "eeg: expected rows per second over 0, got 0"),
        ({"window_rows": 0}, "eeg: expected window_rows of at least 1, got 0"),
        ({"shard_rows": 15_000}, "eeg: expected shard_rows to be a multiple of 10000"),
        ({"features": ("A", "A")}, "eeg: feature 'A' is listed twice"),
        ({"features": ()}, "eeg: expected names of features, got none"),
        ({"name": "ecg"}, "signals: eeg calls itself 'ecg'"),
        ({"row_rate_hz": 200.2}, "expected a whole number of EEG samples per row"),
    ],
)
def test_signals_that_cannot_be_stored_are_refused(change: dict[str, Any], problem: str) -> None:
    eeg = replace(HMS.eeg, **change)
    with pytest.raises(SpecError) as caught:
        replace(HMS, signals={"eeg": eeg, "spectrogram": HMS.spectrogram})
    assert any(problem in one for one in caught.value.problems)


def test_both_signals_are_needed() -> None:
    with pytest.raises(SpecError, match="signals: expected eeg and spectrogram, got eeg"):
        replace(HMS, signals={"eeg": HMS.eeg})


def test_windows_of_other_channels_are_not_the_same_signals() -> None:
    other = tuple(reversed(HMS.eeg.features[:-1]))
    signals = {"eeg": replace(HMS.eeg, features=(*other, "EKG")), "spectrogram": HMS.spectrogram}
    assert not replace(HMS, signals=signals).same_signals(HMS)
    longer = {"eeg": replace(HMS.eeg, shard_rows=20_000), "spectrogram": HMS.spectrogram}
    assert replace(WARD, signals=longer).same_signals(HMS)
