"""SpeakerNormalizer: each speaker's distinct clips in their own units, and nothing else in them."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline as SamplingPipeline
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sersk.augmentation import AddNoise, WaveformAugmenter
from sersk.exceptions import SpeakerWarning, UnreadableAudioWarning
from sersk.feature_extraction import (
    MFCC,
    FillPadding,
    Functionals,
    LogMelSpectrogram,
    PerClip,
    SpeakerNormalizer,
    _speaker_normalizer,
)
from sersk.model_selection import evaluate_protocol
from sersk.preprocessing import AudioReader, DropUnreadable

NAN = np.nan


class Stored(TransformerMixin, BaseEstimator):
    """Look up the features of a clip by the number in its table (the whole array for no table)."""

    def __init__(self, values):
        self.values = values

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return self.values[X["number"].to_numpy()] if isinstance(X, pd.DataFrame) else self.values

    def get_feature_names_out(self, input_features=None):
        return np.array([f"f{i}" for i in range(self.values.shape[1])], dtype=object)


def table_of(speakers, **columns):
    """A clip of its own for each entry."""
    numbers = np.arange(len(speakers))
    paths = [f"/clips/{number}.wav" for number in numbers]
    return pd.DataFrame({"path": paths, "number": numbers, "speaker": speakers, **columns})


def of_stored(values, *, prior_clips=0, **parameters):
    """Make one of stored values, by the speakers' clips alone if not told otherwise."""
    return SpeakerNormalizer(Stored(values), prior_clips=prior_clips, **parameters)


def normalized(values, table, fitted_on=None, **parameters):
    """Normalise stored values, with the training statistics of other rows where they are given."""
    model = of_stored(values, **parameters)
    return model.fit(table if fitted_on is None else fitted_on).transform(table)


def z_scored(values, rows):
    """Z-score some rows by all their values, as NumPy says."""
    axes = 0 if values.ndim == 2 else (0, -1)
    mean = np.nanmean(values[rows], axis=axes, keepdims=True)
    return (values[rows] - mean) / np.nanstd(values[rows], axis=axes, keepdims=True)


def random_features(rng, n_clips, n_axes, dtype=np.float64):
    """Vectors, frames or images of several lengths, each clip at a level of its own."""
    shape = {2: (5,), 3: (4, 9), 4: (2, 3, 9)}[n_axes]
    values = rng.normal(size=(n_clips, *shape)) * 3 + rng.normal(size=(n_clips, *[1] * len(shape)))
    if n_axes > 2:
        for row, clip in enumerate(values):
            clip[..., 1 + row % 9 :] = NAN
    return values.astype(dtype)


# ---------------------------------------------------------------------------------- the numbers


def test_equals_groupby_of_pandas(rng):
    speakers = np.repeat(["ann", "bob", "cat"], [7, 9, 4])
    values = random_features(rng, 20, 2)
    table = table_of(speakers)
    rows = rng.permutation(np.concatenate([np.arange(20), rng.integers(0, 20, 30)]))
    repeated = table.iloc[rows].reset_index(drop=True)
    by_speaker = pd.DataFrame(values).groupby(speakers)
    mean, scale = by_speaker.transform("mean"), by_speaker.transform("std", ddof=0)
    expected = ((values - mean) / scale).to_numpy()[rows]
    assert_allclose(normalized(values, repeated), expected, atol=1e-12)
    # Nobody of the training part is needed for that.
    others = table_of(["dan"] * 20)
    assert_allclose(normalized(values, repeated, others), expected, atol=1e-12)


@pytest.mark.parametrize("n_axes", [2, 3, 4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_all_shapes(rng, n_axes, dtype, tolerance):
    values = random_features(rng, 24, n_axes, dtype)
    table = table_of(np.tile(["ann", "bob", "cat"], 8))
    found = normalized(values, table)
    assert found.dtype == dtype
    for speaker in ("ann", "bob", "cat"):
        rows = np.flatnonzero(table["speaker"] == speaker)
        expected = z_scored(values.astype(np.float64), rows)
        assert_allclose(found[rows], expected, atol=tolerance)
    assert_array_equal(np.isnan(found), np.isnan(values))


@given(
    speakers=st.lists(st.sampled_from("abcd"), min_size=1, max_size=30),
    repeats=st.lists(st.integers(0, 29), max_size=30),
    n_axes=st.sampled_from([2, 3, 4]),
    seed=st.integers(0, 1000),
)
def test_mean_0_and_deviation_1_of_distinct_rows(speakers, repeats, n_axes, seed):
    rng = np.random.default_rng(seed)
    table = table_of(speakers)
    values = random_features(rng, len(speakers), n_axes)
    rows = np.concatenate([np.arange(len(speakers)), [r for r in repeats if r < len(speakers)]])
    found = normalized(values, table.iloc[rng.permutation(rows.astype(int))])
    assert len(found) == len(rows)
    found = normalized(values, table.iloc[rows.astype(int)])[: len(speakers)]
    axes = 0 if n_axes == 2 else (0, -1)
    for speaker in set(speakers):
        own = found[np.array(speakers) == speaker]
        if len(own) < 2:
            continue
        assert_allclose(np.nanmean(own, axis=axes), 0, atol=1e-9)
        assert_allclose(np.nanstd(own, axis=axes), 1, atol=1e-9)


@given(
    speakers=st.lists(st.sampled_from("abc"), min_size=2, max_size=20),
    repeats=st.lists(st.integers(0, 19), max_size=20),
    seed=st.integers(0, 1000),
)
def test_repeats_order_and_others_change_nothing(speakers, repeats, seed):
    rng = np.random.default_rng(seed)
    table = table_of(speakers)
    values = random_features(rng, len(speakers), 3)
    model = of_stored(values).fit(table)
    found = model.transform(table)
    rows = np.concatenate([np.arange(len(speakers)), [r for r in repeats if r < len(speakers)]])
    rows = rng.permutation(rows.astype(int))
    assert_allclose(model.transform(table.iloc[rows]), found[rows], atol=1e-9)
    again = clone(model).fit(table.iloc[rows])
    assert_allclose(again.mean_, model.mean_, atol=1e-12)
    assert_allclose(again.scale_, model.scale_, atol=1e-12)
    of_one = np.flatnonzero(table["speaker"] == speakers[0])
    assert_array_equal(model.transform(table.iloc[of_one]), found[of_one])


def test_fit_transform_is_fit_and_transform(rng):
    values = random_features(rng, 12, 3)
    table = table_of([*["ann"] * 5, *["bob"] * 5, None, "cat"])
    model = of_stored(values)
    assert_array_equal(model.fit_transform(table), model.fit(table).transform(table))


def test_start_and_stop_make_other_clips(rng):
    values = random_features(rng, 6, 2)
    table = table_of(["ann"] * 6).assign(path="/one.wav", start=np.arange(6.0), stop=NAN)
    assert_allclose(normalized(values, table), z_scored(values, np.arange(6)), atol=1e-12)


def test_one_sound_of_two_speakers_counts_for_both(rng):
    values = random_features(rng, 4, 2)
    table = table_of(["ann"] * 2 + ["bob"] * 2)
    both = pd.concat([table, table.iloc[[0]].assign(speaker="bob")])
    found = normalized(values, both)
    assert_allclose(found[:2], z_scored(values, [0, 1]), atol=1e-12)
    assert_allclose(found[2:], z_scored(values, [2, 3, 0]), atol=1e-12)


# ------------------------------------------------------------------------- whose clips, and which


def test_copies_are_measured_by_the_originals(rng):
    values = random_features(rng, 9, 2)
    noise = AddNoise(snr_db=(10, 10))
    augment = [None, None, None, noise, noise, NAN, noise, noise, noise]
    table = table_of([*["ann"] * 6, *["bob"] * 3], augment=augment)
    found = normalized(values, table)
    plain = [0, 1, 2, 5]
    expected = (values[:6] - values[plain].mean(axis=0)) / values[plain].std(axis=0)
    assert_allclose(found[:6], expected, atol=1e-12)
    # One who has none but copies is measured by those.
    assert_allclose(found[6:], z_scored(values, [6, 7, 8]), atol=1e-12)
    # Also where the originals cannot be read.
    values[plain] = NAN
    assert_allclose(normalized(values, table)[[3, 4]], z_scored(values, [3, 4]), atol=1e-12)


@pytest.mark.parametrize("missing", [None, NAN, pd.NA, "", "  "])
def test_unknown_speakers_get_training_statistics(rng, missing):
    values = random_features(rng, 10, 2)
    table = table_of([missing, *["ann"] * 4, missing, *["bob"] * 4])
    model = of_stored(values).fit(table)
    assert_allclose(model.mean_, values.mean(axis=0))
    assert_allclose(model.scale_, values.std(axis=0))
    found = model.transform(table)
    unknown = [0, 5]
    assert_allclose(found[unknown], StandardScaler().fit(values).transform(values[unknown]))
    assert_allclose(found[1:5], z_scored(values, [1, 2, 3, 4]), atol=1e-12)


def test_names_are_compared_as_text(rng):
    values = random_features(rng, 6, 2)
    mixed = normalized(values, table_of([1, "1", 1, "2", 2, "2 "]))
    assert_array_equal(mixed, normalized(values, table_of([1, 1, 1, 2, 2, 2])))
    whole = table_of(pd.Categorical(["1", "1", "1", "2", "2", "2"]))
    assert_array_equal(mixed, normalized(values, whole))


def in_one_pool(values, own, training, n_own, prior_clips):
    """Z-score clips by their values and those of the training in one pool, with weights."""
    axes = 0 if values.ndim == 2 else (0, -1)
    weights = np.zeros_like(values)
    for rows, weight in ((own, n_own), (training, prior_clips)):
        valid = ~np.isnan(values[rows])
        weights[rows] += weight * valid / valid.sum(axis=axes, keepdims=True)
    known = np.nan_to_num(values)
    mean = (weights * known).sum(axis=axes, keepdims=True)
    mean /= weights.sum(axis=axes, keepdims=True)
    variance = (weights * (known - mean) ** 2).sum(axis=axes, keepdims=True)
    variance /= weights.sum(axis=axes, keepdims=True)
    return (values[own] - mean) / np.sqrt(variance)


@pytest.mark.parametrize("prior_clips", [0, 1, 2.5, 10.0])
@pytest.mark.parametrize("n_axes", [2, 3, 4])
def test_statistics_are_adapted_from_those_of_the_training(rng, n_axes, prior_clips):
    values = random_features(rng, 12, n_axes)
    values[2] = NAN  # what cannot be read is no clip, nor are repeats
    table = table_of([*["ann"] * 3, *["bob"] * 4, *["cyd"] * 5])
    table = table.iloc[[*range(12), 0, 1, 0, 1]]
    found = normalized(values, table, table.iloc[3:12], prior_clips=prior_clips)
    training = np.arange(3, 12)
    expected = in_one_pool(values, np.array([0, 1]), training, 2, prior_clips)
    assert_allclose(found[:2], expected, atol=1e-12)
    assert_allclose(found[12:14], expected, atol=1e-12)
    assert np.isnan(found[2]).all()
    bob = np.arange(3, 7)
    assert_allclose(found[bob], in_one_pool(values, bob, training, 4, prior_clips), atol=1e-12)


def test_five_clips_of_the_training_by_default(rng):
    values = random_features(rng, 40, 2)
    table = table_of([*["ann"] * 30, *["bob"] * 10])
    found = SpeakerNormalizer(Stored(values)).fit(table.iloc[:30]).transform(table)
    assert_array_equal(found, normalized(values, table, table.iloc[:30], prior_clips=5.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constants_that_differ_by_rounding(dtype):
    values = np.full((60, 3, 50), 0.1, dtype=dtype) * np.array([[1], [1e6], [3]], dtype=dtype)
    table = table_of(np.repeat(["ann", "bob", "cyd"], 20))
    found = normalized(values, table.iloc[40:], table.iloc[:33], prior_clips=10.0)
    assert np.abs(found).max() <= 0.1 * 1e6 * 100 * np.finfo(dtype).eps


@pytest.mark.parametrize("n_axes", [2, 3, 4])
def test_unreadable_clips_stay_and_count_nowhere(rng, n_axes):
    values = random_features(rng, 12, n_axes)
    values[[1, 7]] = NAN
    table = table_of(np.repeat(["ann", "bob"], 6))
    model = of_stored(values).fit(table)
    found = model.transform(table)
    assert np.isnan(found[[1, 7]]).all()
    readable = np.setdiff1d(np.arange(12), [1, 7])
    again = clone(model).fit(table.iloc[readable])
    assert_array_equal(found[readable], again.transform(table.iloc[readable]))
    assert_array_equal(model.mean_, again.mean_)
    assert_array_equal(model.scale_, again.scale_)


def test_missing_values_in_vectors():
    values = np.array([[1.0, NAN], [3.0, NAN], [NAN, 5.0], [7.0, 4.0], [9.0, 8.0]])
    table = table_of(["ann", "ann", "ann", "bob", "bob"])
    model = of_stored(values).fit(table)
    found = model.transform(table)
    # Ann has two values of the first feature, and one of the second.
    assert_allclose(found, [[-1, NAN], [1, NAN], [NAN, 0], [-1, -1], [1, 1]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_axes", [2, 3, 4])
def test_features_that_do_not_vary(rng, n_axes, dtype):
    values = random_features(rng, 300, n_axes, dtype)
    values[:, 1] = np.where(np.isnan(values[:, 1]), NAN, dtype(0.1))
    table = table_of(np.repeat(["ann", "bob"], 150))
    model = of_stored(values).fit(table)
    assert_array_equal(model.scale_[1], np.ones_like(model.scale_[1]))
    assert_allclose(np.nan_to_num(model.transform(table)[:, 1]), 0, atol=1e-6)


def test_features_far_from_0_keep_their_deviation(rng):
    values = 1e6 + 1e-3 * random_features(rng, 40, 2)
    found = normalized(values, table_of(np.repeat(["ann", "bob"], 20)))
    assert_allclose(found[:20].std(axis=0), 1, rtol=1e-6)


def test_what_the_transformer_gives_is_left_alone(rng):
    values = random_features(rng, 8, 3)
    before = values.copy()
    # Its array itself, not a copy.
    model = SpeakerNormalizer(FillPadding())
    filled = np.nan_to_num(values)
    with pytest.warns(SpeakerWarning):
        model.fit_transform(filled)
    assert_array_equal(filled, np.nan_to_num(before))
    stored = Stored(values)
    SpeakerNormalizer(stored).fit_transform(table_of(["ann"] * 8))
    assert_array_equal(stored.values, before)


def test_memory_is_one_copy(rng, monkeypatch):
    monkeypatch.setattr(_speaker_normalizer, "_BYTES_AT_ONCE", 2**18)
    values = rng.normal(size=(400, 20, 100)).astype(np.float32)

    class Whole(Stored):
        def transform(self, X):
            return self.values

    for speakers in (["ann"] * 400, np.repeat(np.arange(40), 10), [None] * 400):
        model = SpeakerNormalizer(Whole(values)).fit(table_of(speakers))
        tracemalloc.start()
        try:
            model.transform(table_of(speakers))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1.6 * values.nbytes


# --------------------------------------------------------------------------- who is not told of


def test_fit_without_speakers_warns_and_scales_all_alike(rng):
    values = random_features(rng, 12, 2)
    table = table_of(np.repeat(["ann", "bob"], 6))
    model = of_stored(values)
    with pytest.warns(SpeakerWarning, match=r"X has no column 'speaker': .*StandardScaler"):
        model.fit(table.drop(columns="speaker"))
    assert not model.by_speaker_
    expected = StandardScaler().fit_transform(values)
    assert_allclose(model.transform(table), expected, atol=1e-12)
    with pytest.warns(SpeakerWarning, match="'actor'"):
        of_stored(values, speaker="actor").fit(table)


def test_transform_without_speakers(rng):
    values = random_features(rng, 12, 2)
    table = table_of(np.repeat(["ann", "bob"], 6))
    model = of_stored(values).fit(table)
    expected = StandardScaler().fit_transform(values)
    assert_allclose(model.transform(table.drop(columns="speaker")), expected, atol=1e-12)
    assert_allclose(model.transform(table["path"].tolist()), expected, atol=1e-12)


def test_another_column(rng):
    values = random_features(rng, 12, 2)
    table = table_of(["x"] * 12).assign(actor=np.tile(["ann", "bob"], 6))
    found = normalized(values, table, speaker="actor")
    assert_allclose(found[::2], z_scored(values, np.arange(0, 12, 2)), atol=1e-12)


def test_arrays_are_standardised(small_corpus):
    chain = make_pipeline(AudioReader(), MFCC(n_mfcc=4), Functionals())
    vectors = chain.fit_transform(small_corpus.data)
    model = SpeakerNormalizer(PerClip(chain))
    with pytest.warns(SpeakerWarning):
        found = model.fit_transform(np.concatenate([small_corpus.data, small_corpus.data[:5]]))
    expected = StandardScaler().fit(vectors.astype(np.float64)).transform(vectors)
    assert_allclose(found[: len(vectors)], expected, atol=1e-4)
    buffer = small_corpus.data[0][~np.isnan(small_corpus.data[0])]
    assert_allclose(model.transform([buffer])[0], found[0], atol=1e-5)


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((4, 2, 2, 2, 2)), "Got an array of shape"),
        (np.zeros((3, 2)), "gave 3 rows for 4 clips"),
        (np.full((4, 2), np.inf), "what the transformer gives contains infinity"),
        (np.full((4, 2, 2), np.inf), "holds infinity"),
        (np.where(np.arange(6) == 2, NAN, np.zeros((4, 2, 6))), "NaN before its end"),
    ],
)
def test_features_that_are_none(values, message):
    class Given(Stored):
        def transform(self, X):
            return self.values

    with pytest.raises(ValueError, match=message):
        SpeakerNormalizer(Given(values)).fit(table_of(["ann"] * 4))


def test_waveforms_are_no_features(written_corpus):
    for transformer in (AudioReader(), PerClip(AudioReader())):
        with pytest.raises(ValueError, match=r"Got waveforms of shape .* makes features"):
            SpeakerNormalizer(transformer).fit(written_corpus.data)


def test_other_features_than_in_fit(rng):
    table = table_of(["ann"] * 4)
    model = SpeakerNormalizer(Stored(random_features(rng, 4, 3))).fit(table)
    model.transformer_.values = random_features(rng, 4, 4)
    with pytest.raises(ValueError, match=r"of shape \(4,\) in fit, and gives some of shape \(2, 3"):
        model.transform(table)


@pytest.mark.parametrize(
    "parameters",
    [{"prior_clips": -1}, {"prior_clips": None}, {"speaker": None}, {"transformer": 3}],
)
def test_parameters_out_of_range(parameters):
    model = SpeakerNormalizer(Stored(np.zeros((4, 2)))).set_params(**parameters)
    with pytest.raises(ValueError, match=next(iter(parameters))):
        model.fit(table_of(["ann"] * 4))


def test_not_fitted():
    with pytest.raises(NotFittedError):
        SpeakerNormalizer(Stored(np.zeros((4, 2)))).transform(table_of(["ann"] * 4))


# ------------------------------------------------------------------------ in the company of others


def chain_of(**parameters):
    return make_pipeline(
        AudioReader(**parameters), MFCC(n_mfcc=4), Functionals(statistics=["mean"])
    )


def system(**parameters):
    return SamplingPipeline(
        [
            ("oversample", RandomOverSampler(random_state=0)),
            ("features", SpeakerNormalizer(PerClip(chain_of(**parameters)))),
            ("drop", DropUnreadable()),
            ("impute", SimpleImputer()),
            ("classify", KNeighborsClassifier(1)),
        ]
    )


def test_oversampling_changes_no_feature(written_corpus):
    table, y = written_corpus.data, written_corpus.target
    some = np.flatnonzero((y != "anger") | (np.arange(len(y)) % 3 == 0))
    table, y = table.iloc[some], y[some]
    sampler = RandomOverSampler(random_state=0)
    resampled, _ = sampler.fit_resample(table, y)
    assert len(resampled) > len(table)
    model = SpeakerNormalizer(PerClip(chain_of()))
    found = model.fit_transform(resampled)
    expected = model.fit_transform(table)[sampler.sample_indices_]
    assert_allclose(found, expected, atol=1e-6)


def test_augmented_copies_change_no_original(written_corpus):
    table, y = written_corpus.data, written_corpus.target
    copies, _ = WaveformAugmenter(AddNoise(), random_state=0).fit_resample(table, y)
    assert len(copies) > len(table)
    model = SpeakerNormalizer(PerClip(chain_of())).fit(table)
    plain = copies["augment"].isna().to_numpy()
    assert_array_equal(model.transform(copies)[plain], model.transform(table))


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_in_cross_validation(written_corpus):
    table, y = written_corpus.data, written_corpus.target
    scores = cross_validate(
        system(), table, y, cv=GroupKFold(2), groups=written_corpus.groups, error_score="raise"
    )
    assert len(scores["test_score"]) == 2
    result = evaluate_protocol(system(), table, y, protocol="speaker", n_splits=2)
    assert len(result.predictions) == len(table)
    # The reader within is reached by name, and so is a bad rate.
    with pytest.raises(ValueError, match="different sample rates"):
        evaluate_protocol(system(sample_rate=8000), table, y)


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_unreadable_files_are_named_and_predicted(written_corpus):
    table, y = written_corpus.data.copy(), written_corpus.target
    table.loc[0, "path"] = "gone.wav"
    with pytest.warns(UnreadableAudioWarning):
        result = evaluate_protocol(system(on_error="nan"), table, y, protocol="speaker", n_splits=2)
    assert list(result.unreadable) == ["gone.wav"]
    assert len(result.predictions) == len(table)
    with pytest.warns(UnreadableAudioWarning):
        model = SpeakerNormalizer(chain_of(on_error="nan")).fit(table)
    assert list(model.failed_) == ["gone.wav"]


def test_clone_set_params_and_pickle(written_corpus):
    table = written_corpus.data
    model = SpeakerNormalizer(PerClip(chain_of()))
    model.set_params(transformer__transformer__mfcc__n_mfcc=6)
    assert clone(model).get_params()["transformer__transformer__mfcc__n_mfcc"] == 6
    found = model.fit_transform(table)
    assert found.shape == (len(table), 6)
    assert not hasattr(model.transformer, "transformer_")
    assert_array_equal(pickle.loads(pickle.dumps(model)).transform(table), found)


def test_names_and_containers(written_corpus):
    table = written_corpus.data
    vectors = SpeakerNormalizer(PerClip(chain_of())).set_output(transform="pandas")
    frame = vectors.fit_transform(table)
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == vectors.get_feature_names_out().tolist()
    images = PerClip(make_pipeline(AudioReader(), LogMelSpectrogram(n_mels=8)))
    model = SpeakerNormalizer(images).set_output(transform="pandas")
    for found in (model.fit_transform(table), model.transform(table)):
        assert isinstance(found, np.ndarray)
        assert found.ndim == 4
    assert model.mean_.shape == (1, 8)
    # What is inside may make tables, too.
    inner = PerClip(chain_of()).set_output(transform="pandas")
    assert_array_equal(SpeakerNormalizer(inner).fit_transform(table), frame.to_numpy())
