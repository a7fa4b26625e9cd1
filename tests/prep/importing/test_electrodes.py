"""Labels in every way that recorders write them; what is another electrode stays one."""

from __future__ import annotations

import pytest

from hmsprep.importing.electrodes import read_label, shown


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Fp1", ("Fp1", "")), ("EEG FP1-REF", ("Fp1", "REF")), ("eeg t7-le", ("T3", "LE")),
        ("POL P8", ("T6", "")), ("EEG Fz", ("Fz", "")), ("C3-A2", ("C3", "A2")),
        ("Fp1..", ("Fp1", "")), ("Cz..-Ref", ("Cz", "REF")), ("F3\0\0\0x", ("F3", "")),
        ("EEG_T7_Ref", ("T3", "REF")), ("EEG-O1", ("O1", "")), ("EEG.F3.", ("F3", "")),
        ("F3/A2", ("F3", "A2")), ("F3:A1+A2", ("F3", "A1+A2")), ("C3A2", ("C3", "A2")),
        ("O2 Ref", ("O2", "REF")), ("F3\x96A1", ("F3", "A1")), ("Fz \u2013 Cz", ("Fz", "Cz")),
        ("EEG F3 - Pz", ("F3", "Pz")), ("FP1-F7", ("Fp1", "F7")), ("T8-P8-1", ("T4", "T6")),
        ("F3-1", ("F3", "")), ("Fp1-F7-REF", ("Fp1", "F7")), ("T8-P8 2", ("T4", "T6")),
        ("C3-A1-A2", ("C3", "A1-A2")), ("F3-Cz-Pz", ("F3", "CZ-PZ")),
        ("P7 (uV)", ("T5", "")), ("12-Fp1", ("Fp1", "")),
        ('"Fp2"', ("Fp2", "")), ("\uff26\uff50\uff11", ("Fp1", "")),
        ("\uff26\uff50\uff11".encode().decode("latin-1"), ("Fp1", "")),
        ("F7-FT9", ("F7", "FT9")), ("FP1-CS2", ("Fp1", "CS2")), ("T3-M1", ("T3", "M1")),
        ("ECG EKG", ("EKG", "")), ("EKG EKG", ("EKG", "")), ("EKG1-REF", ("EKG", "REF")),
        ("ECG II", ("EKG", "")), ("ECG", ("EKG", "")), ("EEG EKG1-REF", ("EKG", "REF")),
        ("EEG C3P-REF", None), ("C3'", None), ("Fp10", None), ("Fpz", None), ("FC3", None),
        ("FT9-FT10", None), ("A1", None), ("EMG", None), ("PHOTIC", None), ("ECG rate", None),
        ("-", None), ("", None), ("EEG", None), ("3", None), ("F3 left", None),
    ],
)  # fmt: skip
def test_labels_are_read(label: str, expected: tuple[str, str] | None) -> None:
    assert read_label(label) == expected
    assert read_label(f"  {label.lower()}  ") == expected


def test_a_label_is_shown_without_what_a_terminal_would_act_on() -> None:
    assert shown("Fp1\0\x07junk") == "Fp1"
    assert shown("EEG\x1b[31m  F3 ") == "EEG [31m F3"
    assert shown("M\xe8re") == "M\xe8re"


def test_electrodes_in_the_depth_are_not_on_the_scalp() -> None:
    assert read_label("SEEG F3") is None
    assert read_label("EEG F3") == ("F3", "")
