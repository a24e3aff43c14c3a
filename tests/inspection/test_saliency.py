"""The display of attributions: laws that they obey, and that the net stays as it was."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sersk.exceptions import AudioReadError, UnreadableAudioWarning
from sersk.feature_extraction import MFCC, Functionals, LogMelSpectrogram
from sersk.inspection import SaliencyDisplay
from sersk.inspection._attributions import _rnn_gradients
from sersk.model_selection import ValidationHoldout
from sersk.neural_network import (
    CNNClassifier,
    CRNNClassifier,
    RNNClassifier,
    TransformerClassifier,
)
from sersk.preprocessing import AudioReader

explain = SaliencyDisplay.from_estimator

SMALL = {"hidden_units": (8,), "max_epochs": 8, "batch_size": 12, "lr": 0.01, "random_state": 0}
NETS = {
    "cnn": CNNClassifier(filters=(4, 6), pool_sizes=((2, 2), (2, 3)), **SMALL),
    "cnn1d": CNNClassifier(conv_dim=1, filters=(6,), pool_sizes=4, pooling="attention", **SMALL),
    "rnn": RNNClassifier(hidden_sizes=(6,), **SMALL),
    "crnn": CRNNClassifier(
        filters=(4,), pool_sizes=2, hidden_sizes=(6,), cell="lstm", pooling="attention", **SMALL
    ),
    "transformer": TransformerClassifier(
        d_model=8, n_blocks=1, n_heads=2, feedforward_size=8, subsampling=2, **SMALL
    ),
}
# Frames of the input that one frame before the pooling stands for.
FRAMES_A_STEP = {"cnn": 6, "cnn1d": 4, "rnn": 1, "crnn": 2, "transformer": 2}
SHAPES = {"vectors": (10,), "frames": (6, 21), "images": (2, 8, 21)}


def make_clips(kind):
    """Give three classes whose features are raised in different thirds; other means, lengths."""
    rng = np.random.default_rng(0)
    y = np.repeat(["anger", "neutral", "sadness"], 8)
    X = rng.normal(size=(24, *SHAPES[kind])) + 5
    axis = 1 if kind != "images" else 2
    thirds = np.array_split(np.arange(X.shape[axis]), 3)
    for emotion, rows in zip(np.unique(y), thirds, strict=True):
        np.moveaxis(X, axis, 1)[np.ix_(y == emotion, rows)] += 2
    if kind != "vectors":
        for row in range(0, 24, 2):
            X[row, ..., 13 + row // 3 :] = np.nan
    return X, y


def fit(name, kind, **params):
    X, y = make_clips(kind)
    return copy.deepcopy(NETS[name]).set_params(**params).fit(X, y), X


def state_of(net):
    module = net.net_.module_
    return (
        {name: value.clone() for name, value in module.state_dict().items()},
        [part.training for part in module.modules()],
        [(weight.grad, weight.requires_grad) for weight in module.parameters()],
        [(len(part._forward_hooks), len(part._backward_hooks)) for part in module.modules()],
    )


@pytest.fixture(scope="module")
def frame_net():
    return fit("rnn", "frames")


# ------------------------------------------------------------------------------------------ laws


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("name", NETS)
def test_attributions_add_up_and_nothing_changes(name, kind):
    net, X = fit(name, kind)
    net.net_.module_.train()  # must be as it was, whatever it was
    before, numpy_state = state_of(net), np.random.get_state()[1].copy()
    torch_state = torch.get_rng_state()
    clip = X[2].copy()
    display = explain(net, X[2])
    after = state_of(net)
    for key, value in before[0].items():
        assert torch.equal(value, after[0][key])
    assert before[1:] == after[1:]
    assert all(before[1])
    assert torch.equal(torch_state, torch.get_rng_state())
    assert_array_equal(numpy_state, np.random.get_state()[1])
    assert_array_equal(clip, X[2])

    changes, sums = [], []
    for emotion in net.classes_:
        # Of few units, each kink on the way is felt; the default does for nets of a usual size.
        one = explain(net, X[2], target=emotion, n_steps=256)
        changes.append(one.score - one.baseline_score)
        sums.append(np.nansum(one.attributions))
    assert_allclose(sums, changes, atol=0.01 * np.abs(changes).max())
    assert np.abs(changes).max() > 0.01
    assert display.attributions.shape == display.image.shape == X.shape[1:]
    assert_array_equal(np.isnan(display.attributions), np.isnan(X[2]))
    # What is drawn is what the net sees.
    mean, scale = (
        part if kind == "vectors" else part[..., None] for part in (net.mean_, net.scale_)
    )
    assert_allclose(display.image, (X[2] - mean) / scale, atol=1e-5)
    # The probability is the net's own, and scores tell it.
    probabilities = net.predict_proba(X[2:3])[0]
    assert display.probability == pytest.approx(probabilities.max(), rel=1e-4)
    assert display.emotion == display.target == net.predict(X[2:3])[0]
    scores = [explain(net, X[2], target=one, n_steps=1).score for one in net.classes_]
    assert_allclose(np.exp(scores) / np.exp(scores).sum(), probabilities, rtol=1e-4)
    assert sum(scores) == pytest.approx(0, abs=1e-5)


def test_in_double_precision():
    X, y = make_clips("frames")
    net = CNNClassifier(
        conv_dim=1, filters=(4,), pool_sizes=1, activation="silu", pooling="mean",
        precision="float64", **SMALL,
    ).fit(X, y)  # fmt: skip
    display = explain(net, X[0])
    assert display.attributions.dtype == np.float64
    # Gauss's rule is all but exact where there are no kinks.
    change = display.score - display.baseline_score
    assert np.nansum(display.attributions) == pytest.approx(change, rel=1e-9)


class LinearNet(torch.nn.Module):
    """A weight for each bin, summed over time."""

    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(weight, dtype=torch.float32))
        self.pooling = torch.nn.Module()
        self.pooling.kind = "mean"

    def forward(self, x, lengths=None):
        return torch.einsum("cb,nbt->nc", self.weight, x)


@pytest.mark.parametrize("method", ["gradient_x_input", "integrated_gradients"])
@pytest.mark.parametrize("standardize", [True, False])
def test_of_a_linear_net_they_are_weight_times_input(method, standardize, rng):
    net, X = fit("rnn", "frames", standardize=standardize)
    weight = rng.normal(size=(3, 6))
    net.net_.module_ = LinearNet(weight)
    display = explain(net, X[1], target="neutral", method=method, n_steps=3)
    clip = (X[1] - net.mean_[:, None]) / net.scale_[:, None] if standardize else X[1]
    # What is added to all emotions alike changes no probability.
    expected = (weight[1] - weight.mean(0))[:, None] * clip
    assert_allclose(display.attributions, expected, rtol=1e-4, atol=1e-5)


def test_gradient_x_input_is_the_slope(frame_net):
    net, X = frame_net
    display = explain(net, X[1], target="anger", method="gradient_x_input")

    row, frame = np.unravel_index(np.abs(display.attributions).argmax(), X.shape[1:])

    def score(offset):
        shifted = X[1:2].copy()
        shifted[0, row, frame] += offset * net.scale_[row]
        return explain(net, shifted, target="anger", n_steps=1).score

    expected = (score(0.05) - score(-0.05)) / 0.1 * display.image[row, frame]
    assert display.attributions[row, frame] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("name", NETS)
def test_padding_adds_nothing_but_padding(name):
    net, X = fit(name, "frames")
    clip = X[0][:, ~np.isnan(X[0, 0])]
    plain = explain(net, clip)
    for n_more in (1, 40):
        padded = explain(net, np.pad(clip, ((0, 0), (0, n_more)), constant_values=np.nan))
        for part in ("attributions", "image", "attention"):
            values = getattr(padded, part)
            assert_array_equal(values[..., :-n_more], getattr(plain, part))
            assert np.isnan(values[..., -n_more:]).all()
        assert padded.score == plain.score


def test_padding_that_counts_as_sound():
    net, X = fit("crnn", "images", mask_padding=False)
    display = explain(net, X[0], n_steps=64)
    assert_array_equal(np.isnan(display.attributions), np.isnan(X[0]))
    change = display.score - display.baseline_score
    assert np.nansum(display.attributions) == pytest.approx(change, rel=0.01)
    assert display.probability == pytest.approx(net.predict_proba(X[:1]).max(), rel=1e-4)


def test_few_steps_and_small_batches(frame_net):
    net, X = frame_net
    net = copy.deepcopy(net)
    whole = explain(net, X[1])
    in_parts = explain(net.set_params(batch_size=5), X[1])
    assert_allclose(in_parts.attributions, whole.attributions, rtol=1e-3, atol=1e-6)
    one = explain(net, X[1], n_steps=1).attributions
    assert not np.allclose(one, whole.attributions, rtol=1e-3)


def test_within_other_modes_of_torch(frame_net):
    net, X = frame_net
    expected = explain(net, X[1]).attributions
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert_array_equal(explain(net, X[1]).attributions, expected)


def test_a_compiled_net_is_not_compiled_for_it(frame_net):
    net, X = frame_net
    expected = explain(net, X[1]).attributions
    compiled = copy.deepcopy(net)

    def refuse(graph, inputs):
        raise AssertionError("compiled")

    compiled.net_.module_ = torch.compile(compiled.net_.module_, backend=refuse)
    assert_array_equal(explain(compiled, X[1]).attributions, expected)


def test_what_carries_the_class_gets_the_attribution():
    """Only the lower half of the bins differs between the classes."""
    rng = np.random.default_rng(0)
    y = np.repeat(["anger", "sadness"], 30)
    X = rng.normal(size=(60, 1, 12, 20))
    X[y == "anger", :, :6] += 1
    net = CNNClassifier(filters=(6,), hidden_units=(), max_epochs=25, lr=0.01, random_state=0)
    net.fit(X, y)
    by_bin = np.zeros(12)
    for row in range(0, 60, 5):
        by_bin += explain(net, X[row], target=y[row]).attributions.sum(axis=(0, 2))
    assert np.abs(by_bin[:6]).sum() > 0.8 * np.abs(by_bin).sum()
    assert by_bin[:6].sum() > 0
    # And it speaks against the other one.
    against = explain(net, X[0], target="sadness").attributions
    assert against[:, :6].sum() < 0


# ------------------------------------------------------------------------------------- attention


@pytest.mark.parametrize("name", NETS)
def test_attention_on_the_frames_of_the_input(name):
    net, X = fit(name, "images")
    display = explain(net, X[4])
    n_valid = np.count_nonzero(~np.isnan(X[4, 0, 0]))
    assert display.attention.shape == X.shape[-1:]
    assert np.isnan(display.attention[n_valid:]).all()
    weights = display.attention[:n_valid][:: FRAMES_A_STEP[name]]
    assert weights.sum() == pytest.approx(1, rel=1e-5)
    assert_array_equal(
        np.repeat(weights, FRAMES_A_STEP[name])[:n_valid], display.attention[:n_valid]
    )
    assert explain(net, X[4], attention=False).attention is None


def test_no_attention(frame_net):
    net, X = fit("rnn", "frames", pooling="mean")
    assert explain(net, X[0]).attention is None
    with pytest.raises(ValueError, match="no attention over time: pooling='mean' weighs no frames"):
        explain(net, X[0], attention=True)
    net, X = fit("rnn", "vectors")
    assert explain(net, X[0]).attention is None
    with pytest.raises(ValueError, match="vectors have no frames"):
        explain(net, X[0], attention=True)


# ------------------------------------------------------------------- estimators, clips and names


@pytest.fixture(scope="module")
def written_net(written_corpus):
    net = CNNClassifier(filters=(4,), max_epochs=2, random_state=0)
    pipeline = make_pipeline(
        AudioReader(duration=1.5), LogMelSpectrogram(n_mels=12, n_fft=512, hop_length=320), net
    )
    return pipeline.fit(written_corpus.data, written_corpus.target)


def test_clips_in_all_forms(written_net, written_corpus, small_corpus):
    table = written_corpus.data
    expected = written_net[:-1].transform(table.iloc[[3]])[0]
    bare = explain(written_net[-1], expected)
    assert bare.attributions.shape == (1, 12, expected.shape[-1])
    path = table["path"].iloc[3]
    waveform = written_net[0].transform(table.iloc[[3]])
    for model, clip in [
        (written_net, table.iloc[3]),
        (written_net, table.iloc[[3]]),
        (written_net, path),
        (written_net, [path]),
        (written_net, np.array([path])),
        (written_net[1:], waveform),
        (written_net[1:], waveform[0]),
        (written_net[1:], waveform[0].tolist()),
        (written_net[1:], [waveform[0]]),
        (written_net[1:], pd.Series(waveform[0])),
        (written_net[-1], expected[None]),
        (written_net[-1], expected.tolist()),
        (make_pipeline(written_net), path),
    ]:
        display = explain(model, clip)
        assert_allclose(display.attributions, bare.attributions, rtol=1e-3, atol=1e-6)
    for several in (table, table.iloc[:2], list(table["path"]), waveform[[0, 0]]):
        with pytest.raises(ValueError, match=r"One clip is explained, got \d+: choose one"):
            explain(written_net, several)
    with pytest.raises(ValueError, match="One clip is explained, got 0"):
        explain(written_net, table.iloc[:0])


def test_estimators_around_a_net(small_corpus):
    X, y, speakers = small_corpus.data, small_corpus.target, small_corpus.groups
    net = copy.deepcopy(NETS["rnn"])
    holdout = ValidationHoldout(make_pipeline(MFCC(n_mfcc=5), net), random_state=0)
    holdout.fit(X, y, groups=speakers)
    around = explain(holdout, X[0])
    inner = explain(holdout.estimator_[-1], holdout.estimator_[0].transform(X[:1]))
    assert_array_equal(around.attributions, inner.attributions)
    assert around.feature_names == ["mfcc0", "mfcc1", "mfcc2", "mfcc3", "mfcc4"]
    frames = holdout.estimator_[0].transform(X)
    bare = ValidationHoldout(net, random_state=0).fit(frames, y, groups=speakers)
    assert explain(bare, frames[0]).feature_names is None
    # Samplers are for training alone.
    sampled = make_sampling_pipeline(RandomOverSampler(random_state=0), "passthrough", net)
    rows = Functionals(statistics=("mean", "std")).fit_transform(frames)
    sampled.fit(rows, y)
    direct = explain(sampled[-1], rows[0])
    assert_array_equal(explain(sampled, rows[0]).attributions, direct.attributions)


def test_names_of_features(small_corpus):
    X, y = small_corpus.data, small_corpus.target
    net = copy.deepcopy(NETS["rnn"])
    steps = make_pipeline(MFCC(n_mfcc=3), Functionals(statistics=("mean", "std")))
    pipeline = make_pipeline(*steps, StandardScaler(), net).fit(X, y)
    names = steps.get_feature_names_out().tolist()
    assert explain(pipeline, X[0]).feature_names == names
    assert explain(pipeline, X[0], feature_names=list("abcdef")).feature_names == list("abcdef")
    table = pd.DataFrame(steps.transform(X), columns=names)
    net.fit(table, y)
    for row in (table.iloc[0], table.iloc[:1]):
        assert explain(net, row).feature_names == names
    with pytest.raises(ValueError, match="feature_names has 2 entries for 6 features"):
        explain(net, table.iloc[0], feature_names=["a", "b"])


# -------------------------------------------------------------------------------------- pictures


def test_picture_of_frames(frame_net):
    net, X = frame_net
    display = explain(net, X[0], target="sadness", feature_names=list("abcdef"))
    assert [ax.get_ylabel() for ax in display.axes_] == ["Feature", "Feature", "Attention"]
    assert display.axes_[-1].get_xlabel() == "Frame"
    assert_array_equal(display.image_.get_array().filled(np.nan), display.image)
    assert_array_equal(display.mesh_.get_array().filled(np.nan), display.attributions)
    low, high = display.mesh_.get_clim()
    assert low == -high
    assert high == pytest.approx(np.nanpercentile(np.abs(display.attributions), 99.5))
    # Row 0 stands below, under the name of the first feature.
    bottom, top = display.axes_[1].get_ylim()
    assert (bottom, top) == (-0.5, 5.5)
    assert [label.get_text() for label in display.axes_[1].get_yticklabels()] == list("abcdef")
    assert_array_equal(display.line_.get_ydata(), display.attention)
    assert {ax.get_xlim() for ax in display.axes_} == {(-0.5, X.shape[-1] - 0.5)}
    assert display.bars_ is None
    probability = net.predict_proba(X[:1])[0, 2]
    assert display.axes_[0].get_title() == f"sadness: {probability:.0%} (heard as anger)"


def test_picture_of_images():
    net, X = fit("cnn", "images", pooling="max")
    display = explain(net, X[0], limit=0.5, cmap="PiYG", title="A clip")
    assert len(display.axes_) == 2
    assert display.line_ is None
    assert display.mesh_.get_clim() == (-0.5, 0.5)
    assert display.mesh_.get_cmap().name == "PiYG"
    values = display.mesh_.get_array().filled(np.nan)
    assert_array_equal(values, display.attributions.reshape(16, -1))
    ticks = dict(zip(["channel 0", "channel 1"], display.axes_[0].get_yticks(), strict=True))
    assert ticks == {"channel 0": 3.5, "channel 1": 11.5}
    assert [line.get_ydata()[0] for line in display.axes_[0].lines] == [7.5]
    assert display.axes_[0].get_title() == "A clip"
    assert display.axes_[0].get_facecolor()[0] == pytest.approx(0.85)


def test_picture_of_vectors():
    values = np.zeros(30)
    values[[3, 7, 20]] = [0.5, -2.0, 1.0]
    display = SaliencyDisplay(values, values, target="anger", probability=0.756).plot()
    labels = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert labels[:3] == ["x7", "x20", "x3"]
    assert len(display.bars_) == 20
    assert [bar.get_width() for bar in display.bars_][:3] == [-2.0, 1.0, 0.5]
    for_it, against = (display.bars_[i].get_facecolor() for i in (1, 0))
    assert for_it[0] > for_it[2]  # red
    assert against[2] > against[0]  # blue
    assert display.axes_[0].yaxis_inverted()
    assert display.axes_[0].get_title() == "anger: 76%"
    assert display.image_ is display.mesh_ is display.line_ is None


def test_given_axes_and_plotting_again(frame_net):
    net, X = frame_net
    figure, axes = plt.subplots(3)
    display = explain(net, X[0], ax=axes)
    assert display.figure_ is figure
    assert list(display.axes_) == list(axes)
    assert display.plot() is display
    assert display.figure_ is not figure
    for wrong in (axes[:2], axes[0], "axes", [1, 2, 3]):
        with pytest.raises(TypeError, match="ax must be 3 matplotlib Axes"):
            display.plot(ax=wrong)
    one = plt.figure().subplots()
    bars = SaliencyDisplay(np.ones(2), np.ones(2), target="joy", probability=1.0).plot(ax=one)
    assert bars.axes_.tolist() == [one]


def test_nothing_to_see_is_drawn():
    flat = np.zeros((4, 5))
    display = SaliencyDisplay(flat, flat, target="joy", probability=0.5).plot()
    assert display.mesh_.get_clim() == (-1, 1)
    flat[0, 0] = 3  # fewer than the colours tell apart
    many = np.zeros((40, 50))
    many[0, 0] = 3
    display = SaliencyDisplay(many, many, target="joy", probability=0.5).plot()
    assert display.mesh_.get_clim() == (-3, 3)


@pytest.mark.parametrize("kind", SHAPES)
def test_nothing_is_cut_off(kind):
    net, X = fit("rnn", kind)
    names = [f"a rather long name {i}" for i in range(SHAPES[kind][0])]
    figure = explain(net, X[0], feature_names=names).figure_
    figure.canvas.draw()
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


# ---------------------------------------------------------------------------------------- errors


def test_what_is_no_fitted_net_is_refused(frame_net):
    X, y = make_clips("vectors")
    for unfitted in (NETS["cnn"], make_pipeline(NETS["cnn"]), ValidationHoldout(NETS["cnn"])):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            explain(unfitted, X[0])
    for other, name in [
        (SVC().fit(X, y), "SVC"),
        (make_pipeline(StandardScaler(), SVC()).fit(X, y), "SVC"),
        ("net", "str"),
    ]:
        with pytest.raises(TypeError, match=rf"ends in one, .* {name} is no such net"):
            explain(other, X[0])
    assert not plt.get_fignums()


def test_wrong_parameters_are_refused(frame_net):
    net, X = frame_net
    with pytest.raises(ValueError, match=r"'joy' is no class of the net. .*\['anger', 'neutral'"):
        explain(net, X[0], target="joy")
    with pytest.raises(ValueError, match="X has 3 features, but RNNClassifier is expecting 6"):
        explain(net, X[0, :3])
    with pytest.raises(ValueError, match="NaN before its end"):
        explain(net, np.where(np.arange(21) == 4, np.nan, X[1]))
    for wrong in ({"n_steps": 0}, {"method": "lime"}, {"limit": 0}, {"attention": "yes"}):
        with pytest.raises(ValueError, match=f"The '{next(iter(wrong))}' parameter"):
            explain(net, X[0], **wrong)
    assert not plt.get_fignums()


def test_a_clip_of_nothing_is_refused(frame_net, written_net, tmp_path):
    net, X = frame_net
    vector_net, vectors = fit("rnn", "vectors")
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    for model, clip in [
        (net, np.full_like(X[0], np.nan)),
        (net, X[0][:, :0]),
        (vector_net, np.full_like(vectors[0], np.nan)),
    ]:
        with pytest.raises(ValueError, match="nothing to explain: the clip is nothing but NaN"):
            explain(model, clip)
    with pytest.raises(AudioReadError, match="broken"):
        explain(written_net, str(broken))
    with pytest.warns(UnreadableAudioWarning), pytest.raises(ValueError, match="nothing to expl"):
        explain(copy.deepcopy(written_net).set_params(audioreader__on_error="nan"), str(broken))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("name", NETS)
def test_on_a_gpu(name):
    net, X = fit(name, "frames", device="cuda")
    display = explain(net, X[0], n_steps=64)
    change = display.score - display.baseline_score
    assert np.nansum(display.attributions) == pytest.approx(change, rel=0.01)


def test_cudnn_is_left_out_for_recurrent_layers():
    """It has no gradients of them in eval mode; elsewhere it may stay."""
    before, within = torch.backends.cudnn.enabled, []
    for module in (torch.nn.Sequential(torch.nn.GRU(2, 2)), torch.nn.Linear(2, 2)):
        net = SimpleNamespace(module_=module, device="cuda:0")
        with _rnn_gradients(net):
            within.append(torch.backends.cudnn.enabled)
        assert torch.backends.cudnn.enabled is before
    assert within == [False, before]
