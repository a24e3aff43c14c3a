"""What published systems do to their training clips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from sklearn.utils._param_validation import StrOptions, validate_params

from ._combine import Compose
from ._gain_and_shift import Gain, TimeShift
from ._noise import AddNoise
from ._stretch_and_pitch import PitchShift, TimeStretch

_PRESETS: dict[str, Callable[[], list[Any]]] = {
    "noise": lambda: [AddNoise()],
    "pitch_and_volume": lambda: [Compose([PitchShift(), Gain()])],
    "noise_pitch_shift_stretch": lambda: [AddNoise(), PitchShift(), TimeShift(), TimeStretch()],
    "noise_stretch_pitch": lambda: [AddNoise(), TimeStretch(), PitchShift()],
}


@validate_params({"preset": [StrOptions(set(_PRESETS))]}, prefer_skip_nested_validation=True)
def make_transforms(
    preset: Literal[
        "noise", "pitch_and_volume", "noise_pitch_shift_stretch", "noise_stretch_pitch"
    ],
) -> list[Any]:
    """Make the transforms that a published system uses.

    None of the systems states how strong its transforms are: they have their defaults here.

    Parameters
    ----------
    preset : str
        Which ones, each of them a copy of a clip:

        - ``"noise"``: white noise, as a CNN with GRU or LSTM and attention on CREMA-D has it.
        - ``"pitch_and_volume"``: another pitch and another volume at once, with which that system
          is tuned further.
        - ``"noise_pitch_shift_stretch"``: noise, pitch, shift in time, tempo, for a CNN on MFCC of
          four corpora.
        - ``"noise_stretch_pitch"``: noise, tempo, pitch, which with the clip itself makes four of
          each, for a CNN with LSTM on RAVDESS.

    Returns
    -------
    transforms : list
        New transforms.

    See Also
    --------
    Compose : All of them, one after the other.
    OneOf : One of them.

    Examples
    --------
    >>> from sersk.augmentation import OneOf, make_transforms
    >>> transforms = make_transforms("noise_stretch_pitch")
    >>> transforms
    [AddNoise(), TimeStretch(), PitchShift()]
    >>> OneOf(transforms).draw(random_state=0)
    AddNoise(snr_db=15.53, color='white', seed=1967046777)
    """
    return _PRESETS[preset]()
