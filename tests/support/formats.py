"""Recordings in other makers' formats, by their own writers or small ones, for tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hmsstore.schema import CHANNELS

SECONDS, RATE_HZ = 56.0, 250.0
NOTE = (12.5, 3.0, "eyes closed")


def signal_uv(rate_hz: float = RATE_HZ, seconds: float = SECONDS) -> NDArray[np.float64]:
    """Sines of their own frequency and phase in each channel: known at any time."""
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    rows = np.arange(1, len(CHANNELS) + 1)[:, None]
    values: NDArray[np.float64] = (20 + 4 * rows) * np.sin(2 * np.pi * (0.6 * rows * time_s) + rows)
    return values


def raw_array(
    names: Sequence[str] = CHANNELS, uv: NDArray[np.float64] | None = None, rate_hz: float = RATE_HZ
) -> Any:
    mne = pytest.importorskip("mne", reason="MNE is not installed: the extra 'mne'")
    info = mne.create_info(list(names), rate_hz, "eeg", verbose="ERROR")
    values = (signal_uv(rate_hz) if uv is None else uv) * 1e-6
    raw = mne.io.RawArray(values, info, verbose="ERROR")
    raw.set_annotations(mne.Annotations([NOTE[0]], [NOTE[1]], [NOTE[2]]))
    return raw


def write_fif(folder: Path) -> Path:
    path = folder / "night_raw.fif"
    raw_array().save(path, verbose="ERROR")
    return path


def write_brainvision(folder: Path) -> Path:
    pybv = pytest.importorskip("pybv", reason="pybv is not installed")
    pybv.write_brainvision(
        data=signal_uv() * 1e-6, sfreq=RATE_HZ, ch_names=list(CHANNELS), fname_base="night",
        folder_out=folder, events=[{"onset": int(12.5 * RATE_HZ), "duration": int(3 * RATE_HZ),
                                    "description": "eyes closed", "type": "Comment"}],
    )  # fmt: skip
    return folder / "night.vhdr"


def write_eeglab(
    folder: Path, scale: float = 1.0, note: str = NOTE[2], lasts: float = NOTE[1]
) -> Path:
    eeglabio = pytest.importorskip("eeglabio.raw", reason="eeglabio is not installed")
    path = folder / "night.set"
    eeglabio.export_set(
        str(path), signal_uv() * 1e-6 * scale, RATE_HZ, list(CHANNELS),
        annotations=[np.array([note]), np.array([12.5]), np.array([lasts])],
    )  # fmt: skip
    return path


def write_persyst(folder: Path, times: str = "0=36000.000000\n") -> Path:
    path = folder / "night.lay"
    step = 0.01
    (folder / "night.dat").write_bytes(np.rint(signal_uv().T / step).astype("<i4").tobytes())
    channels = "".join(f"{name}-Ref={n + 1}\n" for n, name in enumerate(CHANNELS))
    path.write_text(
        f"[FileInfo]\nFile=night.dat\nFileType=Interleaved\nSamplingRate={RATE_HZ:g}\n"
        f"HeaderLength=0\nCalibration={step}\nWaveformCount=20\nDataType=7\n"
        f"[ChannelMap]\n{channels}[Sheets]\n[SampleTimes]\n{times}"
        "[Patient]\nFirst=Jane\nMI=\nLast=Roe\nID=MRN4711\nSex=\nHand=\nBirthDate=01/02/50\n"
        "TestDate=01/02/19\nTestTime=10:00:00\n"
        "[Comments]\n12.500000,3.000000,0,100,eyes closed\n".replace("01/02/19", "01/02/2019")
    )
    return path


def write_curry(folder: Path, unit: str = "uV") -> Path:
    pytest.importorskip("curryreader", reason="curryreader is not installed")
    path = folder / "night.cdt"
    uv = signal_uv()
    path.write_bytes(uv.T.astype("<f4").tobytes())
    lists = {
        "LABELS": CHANNELS,
        "SENSORS": [f"{10 * n} {n} {100 - n}" for n in range(len(CHANNELS))],
        "CHAN_IN_FILE": [str(n + 1) for n in range(len(CHANNELS))],
    }
    blocks = "".join(
        f"{name} START # Do not edit!\n   ListDescription = {name}\n   ListNrRows = 20\n"
        f"{name} END\n\n{name} START_LIST # Do not edit!\n"
        + "\n".join(rows) + f"\n{name} END_LIST\n\n"
        for name, rows in lists.items()
    )  # fmt: skip
    (folder / "night.cdt.dpo").write_text(
        "DATA_PARAMETERS START # Do not edit!\n"
        f"   NumSamples = {uv.shape[1]}\n   NumChannels = 20\n   NumTrials = 1\n"
        f"   SampleFreqHz = {RATE_HZ:g}\n   TriggerOffsetUsec = 0\n   DataFormat = BINARY\n"
        "   DataSampOrder = SAMP\n   SampleTimeUsec = 4000\n   DataByteOrder = UNKNOWN\n"
        "   StartYear = 2019\n   StartMonth = 1\n   StartDay = 2\n   StartHour = 10\n"
        "   StartMin = 0\n   StartSec = 0\n   StartMillisec = 0\n"
        "   AmplifierInfo = none\nDATA_PARAMETERS END\n\n"
        "DEVICE_PARAMETERS START # Do not edit!\n"
        f"   DataUnit = {unit}\n   NumChanThisGroup = 20\nDEVICE_PARAMETERS END\n\n{blocks}"
    )
    return path


def write_nihon_kohden(folder: Path, notes: Sequence[bytes] = (b"eyes closed",)) -> Path:
    """Electrodes alone, in the order of the recorder's own numbers; a note each second."""
    version, path = b"EEG-1100A V01.00", folder / "night.eeg"
    electrodes = "Fp1 Fp2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T3 T4 T5 T6 Fz Cz Pz".split()
    uv = signal_uv()[[CHANNELS.index(name) for name in electrodes]]
    head = bytearray(0x1800)
    head[:16] = head[0x81:0x91] = version
    head[0x91], head[0x17FE] = 1, 1
    head[0x92:0x96] = struct.pack("<I", 0x400)
    head[0x411] = 1
    head[0x412:0x416] = struct.pack("<I", len(head))
    block = bytearray(0x27)
    block[0x1A:0x20] = struct.pack("<HI", round(RATE_HZ), round(10 * SECONDS))
    block[0x26] = len(electrodes)
    block += b"".join(bytes([number]) + bytes(9) for number in range(len(electrodes)))
    step_uv = (3199.902 + 3200) / 65535
    values = np.vstack([np.rint(uv / step_uv), np.zeros(uv.shape[1])]) + 0x8000
    path.write_bytes(bytes(head + block) + values.T.astype("<u2").tobytes())
    log = bytearray(0x500)
    log[:16], log[0x91] = version, 1
    log[0x92:0x96] = struct.pack("<I", 0x400)
    log[0x401:0x411], log[0x412] = version, len(notes)
    rows = (text.ljust(20, b"\0") + b"%06d" % (n + 1) + bytes(19) for n, text in enumerate(notes))
    path.with_suffix(".LOG").write_bytes(bytes(log[:0x414]) + b"".join(rows))
    names = "".join(f"{number:04d}={name}\n" for number, name in enumerate(electrodes))
    path.with_suffix(".21E").write_text(f"[ELECTRODE]\n{names}")
    stamp = version + bytes(0x30) + b"20190102100000"
    path.with_suffix(".pnt").write_bytes(stamp)
    return path


WRITERS = {
    "FIF": write_fif, "BrainVision": write_brainvision, "EEGLAB": write_eeglab,
    "Persyst": write_persyst, "Curry": write_curry,
}  # fmt: skip
