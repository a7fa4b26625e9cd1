"""The names and numbers that the whole project stands on."""

from __future__ import annotations

from hmsstore.schema import CHAINS, CHANNELS, FEATURES, FREQUENCIES_HZ, SIGNALS


def test_features_are_named_as_in_the_competitions_files() -> None:
    assert len(FEATURES) == 400
    assert FEATURES[:3] == ("LL_0.59", "LL_0.78", "LL_0.98")
    # Halves go up and end zeros are cut: neither round() nor %.2f gives these.
    assert "LL_3.13" in FEATURES
    assert "RP_15.63" in FEATURES
    assert "LP_4.1" in FEATURES
    assert FEATURES[100] == "RL_0.59"
    assert FEATURES[-1] == "RP_19.92"


def test_frequencies_are_bins_3_to_102_of_a_1024_point_transform() -> None:
    assert len(FREQUENCIES_HZ) == 100
    assert FREQUENCIES_HZ[0] == 0.5859375
    assert FREQUENCIES_HZ[-1] == 19.921875


def test_chains_are_made_of_channels_and_mirror_each_other() -> None:
    assert all(name in CHANNELS for chain in CHAINS.values() for name in chain)
    opposite = {"Fp1": "Fp2", "F7": "F8", "F3": "F4", "T3": "T4", "C3": "C4"}
    opposite |= {"T5": "T6", "P3": "P4", "O1": "O2"}
    for left, right in (("LL", "RL"), ("LP", "RP")):
        assert [opposite[name] for name in CHAINS[left]] == list(CHAINS[right])


def test_real_files_have_these_columns(real_data) -> None:
    import polars as pl

    for name, signal in SIGNALS.items():
        for file in sorted((real_data / "kaggle" / f"train_{name}s").glob("*.parquet")):
            columns = [c for c in pl.read_parquet_schema(file) if c != "time"]
            assert tuple(columns) == signal.features
