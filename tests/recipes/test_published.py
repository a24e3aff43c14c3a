"""The published systems: what their sources say of them is what is there."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
import torch
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline
from numpy.testing import assert_array_equal
from sklearn.base import clone

import sersk.recipes
from sersk.augmentation import AddNoise, Gain, PitchShift, TimeShift, TimeStretch, make_transforms
from sersk.datasets._labels import EMOTIONS
from sersk.recipes import list_recipes, make_recipe, recipe_info

PUBLISHED = [name for name in list_recipes() if recipe_info(name).source]

# Enough to run, and no more.
TINY = {"max_epochs": 1, "fine_tuning_epochs": 1}
SMALLER = {"cnn_bilstm_182": {"filters": (8, 8, 8), "hidden_sizes": (16, 8)}}


def tiny(name, **parameters):
    known = inspect.signature(getattr(sersk.recipes, name)).parameters
    return make_recipe(name, **{k: v for k, v in TINY.items() if k in known}, **parameters)


def net_of(name, corpus, **parameters):
    pipeline = tiny(name, **parameters).fit(corpus.data, corpus.target)
    last = pipeline[-1]
    return last.estimator_[-1] if hasattr(last, "estimator_") else last


def modules(net, *kinds):
    return [module for module in net.net_.module_.modules() if isinstance(module, kinds)]


def test_all_ten():
    assert len(PUBLISHED) == 10


@pytest.mark.parametrize("name", PUBLISHED)
def test_is_flat_and_runs_and_repeats_itself(name, written_corpus):
    pipeline = tiny(name, **SMALLER.get(name, {}))
    assert isinstance(pipeline, Pipeline)
    assert not any(isinstance(step, Pipeline) for _, step in pipeline.steps)
    first, second = (
        clone(pipeline).fit(written_corpus.data, written_corpus.target) for _ in range(2)
    )
    probabilities = first.predict_proba(written_corpus.data)
    assert_array_equal(probabilities, second.predict_proba(written_corpus.data))
    assert probabilities.shape == (len(written_corpus.data), 3)
    # One path alone will do.
    assert first.predict(written_corpus.data["path"][:1]).shape == (1,)


def features_step(name, **parameters):
    pipeline = make_recipe(name, duration=1.0, **parameters)
    return pipeline.named_steps.get("features") or pipeline[-1].estimator["features"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_features_behind_the_end_of_a_clip(name):
    zeros = features_step(name, padding="zeros")
    rate = zeros.get_params()["transformer__read__sample_rate"]
    short = np.random.default_rng(0).normal(0, 0.1, (1, rate // 2))
    left_open = features_step(name, padding="mean").fit_transform(short)
    assert np.isnan(left_open).any()
    # The net fills or masks what is left open.
    assert_array_equal(left_open, features_step(name, padding="masked").fit_transform(short))
    heard = zeros.fit_transform(short)
    assert not np.isnan(heard).any()
    if "trim" not in zeros.transformer.named_steps:  # silence that is there would be cut off
        silent = np.pad(short, ((0, 0), (0, rate - rate // 2)))
        of_silent = features_step(name, padding="mean").fit_transform(silent)
        np.testing.assert_allclose(heard, of_silent, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("padding", "masks"), [("mean", False), ("masked", True)])
@pytest.mark.parametrize("name", PUBLISHED)
def test_net_masks_the_padding(name, padding, masks):
    parameters = make_recipe(name, padding=padding).get_params()
    (told,) = (v for k, v in parameters.items() if k.endswith("net__mask_padding"))
    assert told is masks


@pytest.mark.parametrize("name", PUBLISHED)
def test_unknown_padding(name):
    with pytest.raises(ValueError, match="padding='zero': choose one of 'mean', 'zeros'"):
        make_recipe(name, padding="zero")


def test_zeros_need_an_end():
    with pytest.raises(ValueError, match="padding='zeros' fills clips up to duration: give one"):
        make_recipe("conv2d_mel", padding="zeros")


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_known_of_the_source(name):
    info = recipe_info(name)
    assert info.name == name
    assert set(info.classes) <= set(EMOTIONS)
    assert set(info.corpora) <= {"cremad", "ravdess", "savee", "tess"}
    assert all(0 < value < 1 for value in info.published.values())
    # What the docstring says is what the table says.
    told = re.findall(r"([\d.]+) %", getattr(sersk.recipes, name).__doc__)
    assert {round(100 * value, 2) for value in info.published.values()} <= set(map(float, told))
    assert not set(info.emotions) & set(info.classes)
    if info.split.copies is not None:
        assert make_transforms(info.split.copies)
        assert "transforms" in inspect.signature(getattr(sersk.recipes, name)).parameters
    # Early stopping needs clips that are held out, and the other way round.
    patience = make_recipe(name).get_params().get("net__patience")
    assert (info.validation_size > 0) == (patience is not None)
    assert (info.split.validation_size > 0) == (info.validation_size > 0)


@pytest.mark.parametrize(
    ("name", "filters", "kernels"),
    [
        ("conv1d_time_domain", [16, 32, 32, 64], [3, 3, 5, 7]),
        ("conv2d_mel", [16, 32, 64, 64, 128, 128], [3, 3, 5, 5, 7, 7]),
        ("cnn_bilstm_182", [32, 32, 64, 64, 128, 128], [3] * 6),
        ("cnn_gru_attention", [32, 64], [3, 3]),
    ],
)
def test_convolutions(name, filters, kernels, written_corpus):
    net = net_of(name, written_corpus)
    found = modules(net, torch.nn.Conv1d, torch.nn.Conv2d)
    assert [conv.out_channels for conv in found] == filters
    assert [conv.kernel_size[0] for conv in found] == kernels


def test_image_of_system_182(written_corpus):
    net = net_of("cnn_bilstm_182", written_corpus)
    assert net.n_features_in_ == 182
    lstms = modules(net, torch.nn.LSTM)
    assert {lstm.hidden_size for lstm in lstms} == {256, 128}
    features = make_recipe("cnn_bilstm_182")["features"]
    silence = np.zeros((1, 3 * 22050), dtype=np.float32)
    assert features.fit_transform(silence).shape == (1, 182, 130)


def test_image_of_the_attention_nets():
    features = make_recipe("cnn_gru_attention")["features"]
    tone = np.sin(np.arange(48000) / 10).astype(np.float32)[np.newaxis]
    assert features.fit_transform(tone).shape == (1, 3, 64, 94)


def test_cells(written_corpus):
    assert modules(net_of("cnn_gru_attention", written_corpus), torch.nn.GRU)
    for name in ("cnn_lstm_attention", "lstm_mfcc_chroma", "improved_lstm"):
        net = net_of(name, written_corpus)
        assert modules(net, torch.nn.LSTM)
        assert not modules(net, torch.nn.GRU)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("cnn_gru_attention", [AddNoise]),
        ("cnn_mfcc_four_corpora", [AddNoise, PitchShift, TimeShift, TimeStretch]),
        ("cnn_bilstm_182", [AddNoise, TimeStretch, PitchShift]),
    ],
)
def test_copies(name, kinds):
    pipeline = make_recipe(name)
    assert [type(each) for each in pipeline["augment"].transforms] == kinds
    assert make_recipe(name, transforms=[])["augment"] == "passthrough"
    assert [
        type(each) for each in make_recipe(name, transforms=[Gain()])["augment"].transforms
    ] == [Gain]


@pytest.mark.parametrize("name", ["cnn_gru_attention", "cnn_mfcc_chroma", "improved_lstm"])
def test_oversampling_comes_first(name):
    assert isinstance(make_recipe(name).steps[0][1], RandomOverSampler)


def test_second_stage_hears_what_the_first_did_not(written_corpus):
    pipeline = tiny("cnn_lstm_attention_augmented").fit(written_corpus.data, written_corpus.target)
    tuned = pipeline["net"]
    assert tuned.estimator["augment"].transforms[0].__class__ is AddNoise
    assert len(tuned.estimator["augment"].transforms) == 1
    assert len(tuned.estimator_["augment"].transforms) == 2
    assert tuned.estimator_["net"].spec_augment is True
    assert len(tuned.history_) == 2
    silent = tiny("cnn_lstm_attention_augmented", transforms=[])
    silent.fit(written_corpus.data, written_corpus.target)


def test_knobs_reach_the_steps():
    pipeline = make_recipe(
        "cnn_gru_attention", n_mels=40, sample_rate=8000, max_epochs=3, random_state=7, memory="m"
    )
    parameters = pipeline.get_params()
    assert parameters["features__transformer__log_mel__n_mels"] == 40
    assert parameters["augment__sample_rate"] == 8000
    assert parameters["net__max_epochs"] == 3
    assert parameters["net__random_state"] == parameters["augment__random_state"] == 7
    assert parameters["features__memory"] == "m"
