"""scikit-learn's and imbalanced-learn's own checks, on every public estimator."""

from __future__ import annotations

import inspect
from collections import Counter

import pytest
from imblearn.base import SamplerMixin
from imblearn.utils.estimator_checks import estimator_checks_generator
from optuna.distributions import FloatDistribution
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

import sersk
from sersk.augmentation import AddNoise
from sersk.feature_extraction import Functionals, PerClip, RMSEnergy
from sersk.neural_network import RNNClassifier

# The one place for checks that cannot hold by nature: (class, check) -> why.
EXPECTED_FAILURES = {
    ("DropUnreadable", "check_samplers_nan"): (
        "the check feeds rows of one cell and wants NaN among the rows that come out; a row of "
        "nothing but NaN is what this sampler removes"
    ),
}

MIN_CHECKS = 40

# In double precision, all clips in one batch: only so do two of a kind equal one of weight 2.
SMALL_NET = {"max_epochs": 20, "lr": 0.02, "dropout": 0.0, "precision": "float64"}

# Small settings, so that the tiny arrays of the checks make a few frames.
PARAMETERS = {
    "CNNClassifier": SMALL_NET | {"filters": (8, 8), "batch_norm": False},
    "CRNNClassifier": SMALL_NET
    | {"filters": (8,), "pool_sizes": 2, "hidden_sizes": (8,), "batch_norm": False},
    "RNNClassifier": SMALL_NET | {"hidden_sizes": (8,), "hidden_units": ()},
    "TransformerClassifier": SMALL_NET
    | {"d_model": 8, "n_blocks": 1, "n_heads": 2, "feedforward_size": 16, "kernel_size": 3},
    "Chroma": {"n_fft": 256, "hop_length": 4},
    "FineTunedClassifier": {
        # scikit-learn seeds the outer estimator alone.
        "estimator": RNNClassifier(**SMALL_NET, hidden_sizes=(8,), random_state=0),
        "changes": {"lr": 0.01, "max_epochs": 3},
    },
    "FrameFeatures": {"n_mfcc": 3, "n_mels": 8, "n_fft": 256, "hop_length": 4},
    "LogMelSpectrogram": {"n_mels": 8, "n_fft": 256, "hop_length": 4, "deltas": 1},
    "MFCC": {"n_mfcc": 3, "n_mels": 8, "n_fft": 256, "hop_length": 4},
    "MelSpectrogram": {"n_mels": 8, "n_fft": 256, "hop_length": 4},
    "NoiseReducer": {"n_fft": 4, "hop_length": 2, "noise_fraction": 0.5},
    "PerClip": {"transformer": RMSEnergy(frame_length=64, hop_length=4), "chunk_size": 7},
    "Pitch": {"frame_length": 64, "hop_length": 4, "fmin": 600.0, "fmax": 4000.0},
    "PipelineSearchCV": {
        "estimator": LogisticRegression(),
        "space": {"C": FloatDistribution(1.0, 100.0, log=True)},
        "cv": 2,
        "n_trials": 2,
    },
    "RMSEnergy": {"frame_length": 64, "hop_length": 4},
    "SilenceTrimmer": {"frame_length": 2, "hop_length": 1, "top_db": 3.0, "interior": True},
    "SpecAugment": {"max_time_fraction": 0.5, "random_state": 0},
    "SpeakerNormalizer": {
        "transformer": PerClip(
            make_pipeline(
                RMSEnergy(frame_length=64, hop_length=4), Functionals(statistics=("mean", "slope"))
            )
        )
    },
    "SpeakerPriorClassifier": {"estimator": LogisticRegression()},
    "SpectralShape": {"n_fft": 256, "hop_length": 4},
    "Tonnetz": {"chroma": "stft", "n_fft": 256, "hop_length": 4},
    "ZeroCrossingRate": {"frame_length": 64, "hop_length": 4},
    "TimeDomainStats": {"frame_length": 3, "hop_length": 2, "fmin": 2500.0, "fmax": 8000.0},
    "ValidationHoldout": {
        # scikit-learn seeds the outer estimator alone.
        "estimator": RNNClassifier(**SMALL_NET, hidden_sizes=(8,), random_state=0)
    },
    "WaveformAugmenter": {"transforms": AddNoise(), "random_state": 0},
}


def public_estimators():
    found = {}
    for room in sersk.__all__:
        module = getattr(sersk, room)
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if (
                inspect.isclass(thing)
                and issubclass(thing, BaseEstimator)
                # Transforms of `augmentation` have parameters, but nothing to fit.
                and hasattr(thing, "fit")
            ):
                found[name] = thing
    return [found[name](**PARAMETERS.get(name, {})) for name in sorted(found)]


ESTIMATORS = public_estimators()
SAMPLERS = [estimator for estimator in ESTIMATORS if isinstance(estimator, SamplerMixin)]


def expected_failures(estimator):
    name = type(estimator).__name__
    return {check: why for (owner, check), why in EXPECTED_FAILURES.items() if owner == name}


def name_of(estimator):
    return type(estimator).__name__


def test_discovery_finds_estimators():
    assert {"AudioReader", "MFCC", "Functionals"} <= set(map(name_of, ESTIMATORS))
    assert [name_of(sampler) for sampler in SAMPLERS] == [
        "DropUnreadable",
        "SpecAugment",
        "WaveformAugmenter",
    ]


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
@pytest.mark.filterwarnings("ignore::sersk.exceptions.SpeakerWarning")
@pytest.mark.filterwarnings("ignore::sersk.exceptions.ValidationWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_scikit_learn_checks(estimator, need_packages_of):
    need_packages_of(name_of(estimator))
    outcomes = check_estimator(
        estimator, expected_failed_checks=expected_failures(estimator), on_skip=None
    )
    statuses = Counter(outcome["status"] for outcome in outcomes)
    assert statuses["passed"] >= MIN_CHECKS, statuses
    assert statuses["failed"] == 0
    skipped = {outcome["check_name"] for outcome in outcomes if outcome["status"] == "skipped"}
    # Runs only where SciPy's experimental array API is switched on.
    assert skipped <= {"check_array_api_input"}


IMBALANCED_LEARN_CHECKS = [
    case
    for sampler in SAMPLERS
    for case in estimator_checks_generator(
        sampler, expected_failed_checks=expected_failures(sampler), mark="xfail"
    )
]


@pytest.mark.parametrize(("estimator", "check"), IMBALANCED_LEARN_CHECKS)
def test_imbalanced_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_no_tag_dodges_checks(estimator):
    tags = get_tags(estimator)
    assert not tags._skip_test
    assert not tags.no_validation
    assert not tags.non_deterministic
    assert tags.input_tags.two_d_array
    if tags.classifier_tags is not None:
        assert not tags.classifier_tags.poor_score


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_every_parameter_is_constrained_and_documented(estimator):
    parameters = estimator.get_params(deep=False)
    assert set(estimator._parameter_constraints) == set(parameters)
    for name in parameters:
        assert f"\n    {name} : " in type(estimator).__doc__


def test_expected_failures_are_current():
    """An entry for a check that is gone, or for another class, has no business in the table."""
    names = set(map(name_of, ESTIMATORS))
    assert {owner for owner, _ in EXPECTED_FAILURES} <= names
