"""'braindecode:NAME' -> a network of braindecode as a trunk, given the EEG as it expects it.

Any of its models, the foundation models too (Labram, CBraMod, BIOT ...), with weights from a file.
Its last layer is left out; what that is given, side by side, are the features. Where a network does
not do without one, the layer stays and gives 64 features.

What a network expects of the EEG is in `NEEDS`, from its authors; `model.channels`, `model.rate_hz`
and `model.scale` say it of others, or otherwise. All see the band of 0.5 to 40 Hz, clipped at 1024
uV, narrower than what some were trained on, since above lie mains and muscle.

Legend: B windows, T samples in time, C channels of the store, N channels of the network.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hmsstore.montage import CHAIN_PAIRS, ELECTRODES
from hmstrain.data.eeg import CLIP_UV, RATE_HZ, SCALE_UV, band_pass, bipolar
from hmstrain.data.inputs import Input
from hmstrain.errors import ModelError
from hmstrain.models.eeg.signals import at_rate
from hmstrain.models.weights import read_weights

EXTRA = "pip install 'hms-eeg[braindecode]'"
LAST = "final_layer"
"""What braindecode calls the last layer of all its models."""
FEATURES = 64
"""Of a network whose last layer stays."""
CHANNELS = {"pairs": len(CHAIN_PAIRS), "electrodes": len(ELECTRODES)}
"""16 bipolar pairs of the four chains, or 19 electrodes less their mean."""
QUANTILE = 0.95
SMALLEST_UV = 1e-2
"""Smallest quantile that a channel is divided by."""
PREFIXES = ("module.", "_orig_mod.", "model.", "student.", "encoder.")
"""What names in files of weights may begin with besides."""
SAW_IIIC = ("six-datasets", "six_datasets")
"""Parts of the names of files whose weights were trained on the IIIC data."""
LEAK = (
    "{file}: weights of BIOT's six data sets were trained on the IIIC data, which has patients of "
    "the HMS data: scores on HMS windows are too good with them."
)
MAY_LEAK = (
    "{file}: of BIOT's public weights of 18 channels, those of six data sets were trained on the "
    "IIIC data, which has patients of the HMS data. If these are they, scores on HMS windows are "
    "too good."
)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a network expects of the EEG."""

    channels: str = "pairs"
    """Of `CHANNELS`."""
    rate_hz: float = RATE_HZ
    scale: float | str = SCALE_UV
    """Microvolts that are 1; 'quantile': each channel's 95% quantile of its magnitude is 1."""


NEEDS: dict[str, Needs] = {
    # BIOT's paper and code: pairs in the order of our chains, each over its own quantile.
    "BIOT": Needs("pairs", 200, "quantile"),
    # Their codes: units of 100 uV, patches of a second.
    "Labram": Needs("electrodes", 200, 100),
    "InterpolatedLaBraM": Needs("electrodes", 200, 100),
    "CBraMod": Needs("electrodes", 200, 100),
    "CodeBrain": Needs("electrodes", 200, 100),
    "EEGDINO": Needs("electrodes", 200, 100),
    # EEGPT's paper: millivolts.
    "EEGPT": Needs("electrodes", 256, 1000),
    "InterpolatedEEGPT": Needs("electrodes", 256, 1000),
    # braindecode's own notes on them.
    "SignalJEPA": Needs("electrodes", 128, 1),
    "SignalJEPA_Contextual": Needs("electrodes", 128, 1),
    "SignalJEPA_PostLocal": Needs("electrodes", 128, 1),
    "SignalJEPA_PreLocal": Needs("electrodes", 128, 1),
    "REVE": Needs("electrodes", 200, SCALE_UV),  # standardises by itself
    # Rates of braindecode's table of models.
    "LUNA": Needs("electrodes", 256, SCALE_UV),
    "EEGNet": Needs(rate_hz=128),
    "Deep4Net": Needs(rate_hz=250),
    "ShallowFBCSPNet": Needs(rate_hz=250),
    "EEGConformer": Needs(rate_hz=250),
}
"""By name in braindecode; others get pairs at 200 Hz over 32 uV, as encoders of raw EEG do."""


class Expected(nn.Module):
    """Referential EEG in microvolts -> what a network expects."""

    def __init__(self, needs: Needs) -> None:
        super().__init__()
        self.needs = needs

    def forward(self, eeg_uv_BTC: Tensor) -> Tensor:
        """Channels (B, N, T'), filtered, clipped, scaled and resampled."""
        if self.needs.channels == "pairs":
            uv_BNT = bipolar(eeg_uv_BTC)[:, : len(CHAIN_PAIRS)]
        else:
            electrodes_BNT = eeg_uv_BTC[..., : len(ELECTRODES)].transpose(1, 2)
            spectrum = torch.fft.rfft(electrodes_BNT - electrodes_BNT.mean(1, keepdim=True))
            samples = eeg_uv_BTC.shape[1]
            uv_BNT = torch.fft.irfft(spectrum * band_pass(samples, spectrum.device), n=samples)
        resampled = at_rate(uv_BNT.clamp(-CLIP_UV, CLIP_UV), self.needs.rate_hz)
        if self.needs.scale == "quantile":
            largest = torch.quantile(resampled.abs(), QUANTILE, dim=2, keepdim=True)
            return resampled / largest.clamp_min(SMALLEST_UV)
        return resampled / float(self.needs.scale)


class BraindecodeTrunk(nn.Module):
    """Referential EEG in microvolts (B, T, 20) -> features, by a network for windows of one length.

    Parameters
    ----------
    network : nn.Module
        Takes (B, N, T').
    needs : Needs
        What it expects of the EEG.
    samples : int
        T of the windows that it is for.
    """

    def __init__(self, network: nn.Module, needs: Needs, samples: int) -> None:
        super().__init__()
        self.expected = Expected(needs)
        self.network = network
        self.named: dict[str, Any] = {}
        if needs.channels == "electrodes" and _takes(network.forward, "ch_names"):
            self.named["ch_names"] = list(ELECTRODES)
        self.notices: list[str] = []
        network.eval()
        features = self.forward(torch.zeros(2, samples, len(ELECTRODES) + 1))
        features.sum().backward()
        for parameter in network.parameters():  # what only pretraining used is not trained
            parameter.requires_grad_(parameter.grad is not None)
            parameter.grad = None
        network.train()
        self.features = features.shape[1]

    @property
    def last_map(self) -> None:
        """None: which of a network's maps is the last is not known."""
        return None

    def forward(self, eeg_uv_BTC: Tensor) -> Tensor:
        """Features (B, F)."""
        features: Tensor = self.network(self.expected(eeg_uv_BTC), **self.named)
        return features.flatten(1)


def build(
    name: str,
    seen: Input,
    *,
    channels: str | None = None,
    rate_hz: float | None = None,
    scale: float | str | None = None,
    **arguments: Any,
) -> BraindecodeTrunk:
    """Make the trunk of one input of EEG in microvolts.

    Parameters
    ----------
    name : str
        In braindecode.models.
    seen : Input
        Its shape says how long windows are; its configuration, which file of weights to load.
    channels, rate_hz, scale
        As in `Needs`, instead of what is known of the network.
    **arguments
        As the network's class takes them; `n_chans` where it has places for more channels than it
        is given, as BIOT with weights of 18.

    Raises
    ------
    ModelError
        braindecode cannot be imported, has no such network, or it does not take such windows; a
        setting would have no effect; or the file of weights does not fit.
    """
    config = seen.config
    for setting in ("channel_dropout", "noise"):
        if getattr(config, setting):
            raise ModelError(
                f"braindecode:{name} takes microvolts, on which {setting} has no effect: leave it "
                "out."
            )
    known = NEEDS.get(name, Needs())
    needs = Needs(
        known.channels if channels is None else channels,
        known.rate_hz if rate_hz is None else rate_hz,
        known.scale if scale is None else scale,
    )
    _check(name, needs)
    kind = _network_class(name)
    samples = seen.shape[0]
    given = _signal_arguments(kind, needs, round(samples * needs.rate_hz / RATE_HZ))
    if taken := sorted((given.keys() & arguments.keys()) - {"n_chans"}):
        raise ModelError(f"braindecode:{name}: model.{taken[0]} follows from the run's EEG.")
    trunk = _made(name, kind, given | arguments, needs, samples)
    if config.weights:
        trunk.notices += load(trunk.network, Path(config.weights), name)
    return trunk


def load(network: nn.Module, file: Path, name: str) -> list[str]:
    """Load weights into a network, without its last layer; what a user should know of them.

    Parameters
    ----------
    network : nn.Module
        Of braindecode; its `mapping` of older names is used.
    file : Path
        With a name for every weight of the network; names may have a prefix more.
    name : str
        Of the network.

    Returns
    -------
    list of str
        Whether the weights saw patients of the HMS data; what of the file was not used.

    Raises
    ------
    ModelError
        The file is none of weights, lacks one, or has one of another shape.
    """
    state = _renamed(read_weights(file), network)
    own = {key: value for key, value in network.state_dict().items() if not _is_last(key)}
    needed = [key for key, value in own.items() if value.is_floating_point()]
    problem = ""
    if missing := [key for key in needed if key not in state]:
        problem = f"it holds no {missing[0]}" + _more(missing)
    elif wrong := [key for key in own if key in state and state[key].shape != own[key].shape]:
        key = wrong[0]
        problem = (
            f"{key} is {tuple(state[key].shape)} there and {tuple(own[key].shape)} here"
            f"{_more(wrong)}; eeg_seconds, model.channels or the network's own arguments may have "
            "to be as they were"
        )
    if problem:
        raise ModelError(f"{file} does not fit braindecode:{name}: {problem}.")
    network.load_state_dict({key: state[key] for key in own if key in state}, strict=False)
    notices = []
    channels = state.get("encoder.channel_tokens.weight")
    if any(part in file.name.lower() for part in SAW_IIIC):
        notices.append(LEAK.format(file=file))
    elif name == "BIOT" and channels is not None and len(channels) == 18:
        notices.append(MAY_LEAK.format(file=file))
    if unused := [key for key in state if key not in own and not _is_last(key)]:
        notices.append(f"{file}: {unused[0]}{_more(unused)} was not used: the network has none.")
    return notices


def _check(name: str, needs: Needs) -> None:
    """Check what was said of the EEG that a network expects."""
    if needs.channels not in CHANNELS:
        raise ModelError(
            f"braindecode:{name}: model.channels must be {' or '.join(CHANNELS)}; got "
            f"{needs.channels}."
        )
    if not isinstance(needs.rate_hz, int | float) or not 20 <= needs.rate_hz <= 2000:
        raise ModelError(
            f"braindecode:{name}: model.rate_hz must be from 20 to 2000; got {needs.rate_hz}."
        )
    if needs.scale != "quantile" and (not isinstance(needs.scale, int | float) or needs.scale <= 0):
        raise ModelError(
            f"braindecode:{name}: model.scale must be microvolts, or quantile; got {needs.scale}."
        )


def _network_class(name: str) -> Any:
    """The class of this name among braindecode's networks."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import braindecode.models as models
            from braindecode.models.base import EEGModuleMixin
    except ImportError as error:
        raise ModelError(
            f"braindecode:{name} needs braindecode, which cannot be imported ({error}). "
            f"Run: {EXTRA}"
        ) from None
    except Exception as error:  # torchaudio's of a torch that it was not made for
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise ModelError(
            f"braindecode:{name} needs braindecode, which is installed but fails to start: "
            f"{reason}."
        ) from None
    found = {
        key: value
        for key, value in vars(models).items()
        if inspect.isclass(value)
        and issubclass(value, EEGModuleMixin)
        and value is not EEGModuleMixin
    }
    if name not in found:
        near = get_close_matches(name, found, n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise ModelError(f"braindecode has no model {name!r}.{hint}")
    return found[name]


def _signal_arguments(kind: Any, needs: Needs, samples: int) -> dict[str, Any]:
    """What its class takes of the signal's description."""
    described: dict[str, Any] = {
        "n_chans": CHANNELS[needs.channels],
        "n_times": samples,
        "sfreq": float(needs.rate_hz),
        "n_outputs": FEATURES,
    }
    if needs.channels == "electrodes":
        described["chs_info"] = _electrodes(needs.rate_hz)
    return {key: value for key, value in described.items() if _takes(kind.__init__, key)}


def _electrodes(rate_hz: float) -> Any:
    """Names and places of the electrodes, as MNE describes channels."""
    import mne

    info = mne.create_info(list(ELECTRODES), rate_hz, "eeg", verbose="error")
    known = mne.channels.get_builtin_montages()
    place = next(name for name in ("colin27_1020", "standard_1020") if name in known)
    info.set_montage(place, verbose="error")
    return info["chs"]


def _made(
    name: str, kind: Any, arguments: Mapping[str, Any], needs: Needs, samples: int
) -> BraindecodeTrunk:
    """Make it without its last layer, or with that where it does not run without."""
    problem: Exception | None = None
    for whole in (False, True):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                network = kind(**arguments)
                if not whole and hasattr(network, LAST):
                    setattr(network, LAST, nn.Identity())
                return BraindecodeTrunk(network, needs, samples)
        except Exception as error:  # whatever a network may stumble on
            problem = error
    text = str(problem).strip().splitlines() or [type(problem).__name__]
    raise ModelError(
        f"braindecode:{name} does not take {CHANNELS[needs.channels]} {needs.channels} of "
        f"{samples / RATE_HZ:g} s at {needs.rate_hz:g} Hz: {text[0].rstrip('.')}. Change "
        "model.channels, model.rate_hz or eeg_seconds."
    ) from None


def _renamed(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """A file's weights by the network's names."""
    own = network.state_dict().keys()
    mapping = getattr(network, "mapping", None) or {}
    tries = [state]
    tries += [
        {key.removeprefix(prefix): value for key, value in state.items()} for prefix in PREFIXES
    ]
    tries += [{f"{prefix}{key}": value for key, value in state.items()} for prefix in PREFIXES]
    named = [{mapping.get(key, key): value for key, value in one.items()} for one in tries]
    return max(named, key=lambda one: len(one.keys() & own))


def _is_last(key: str) -> bool:
    return key.split(".")[0] == LAST


def _takes(function: Any, name: str) -> bool:
    """Whether a function has an argument of this name."""
    return name in inspect.signature(function).parameters


def _more(keys: list[str]) -> str:
    return f" and {len(keys) - 1:,} more" if len(keys) > 1 else ""
