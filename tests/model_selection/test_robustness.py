"""noise_robustness: the same clips and the same noise for all, and nothing is fitted."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from sersk.augmentation import AddNoise, BackgroundNoise, Gain
from sersk.exceptions import AugmentationError, UnreadableAudioWarning
from sersk.metrics import speaker_bootstrap
from sersk.model_selection import noise_robustness
from sersk.preprocessing import AudioReader
from sersk.recipes import svm_functionals

LEVELS = [20.0, 5.0, -5.0]
RATE = 8000
# Single precision of samples below 1 leaves this much of the noise uncertain.
ROUNDING = 1e-5


class Listener(ClassifierMixin, BaseEstimator):
    """Keeps what it hears, and answers by how loud it is; counts how often it is fitted."""

    heard: list[np.ndarray] = []
    n_fits = 0

    def fit(self, X, y):
        type(self).n_fits += 1
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        check_is_fitted(self)
        self.heard.append(np.array(X))
        loud = np.nan_to_num(X).std(axis=1) > 0.26
        return np.where(loud, *self.classes_)


@pytest.fixture
def clips(rng):
    """Twenty clips by ten speakers, of different loudness, two of different length."""
    waveforms = rng.uniform(-1, 1, (20, 800)).astype(np.float32)
    waveforms *= np.tile([0.4, 0.6], 10)[:, np.newaxis]
    waveforms[3, 500:] = np.nan
    waveforms[4, 700:] = np.nan
    speakers = np.repeat([f"s{number}" for number in range(10)], 2)
    return waveforms, np.tile(["calm", "anger"], 10), speakers


@pytest.fixture
def table(clips, write_wav):
    waveforms, _, speakers = clips
    paths = [
        write_wav(
            f"{row}.wav", samples=samples[~np.isnan(samples)], sample_rate=RATE, subtype="FLOAT"
        )
        for row, samples in enumerate(waveforms)
    ]
    return pd.DataFrame({"path": paths, "speaker": speakers})


@pytest.fixture
def fitted():
    waveforms = np.zeros((2, 800), dtype=np.float32)
    system = make_pipeline(AudioReader(sample_rate=RATE, duration=0.1), Listener())
    system.fit(waveforms, ["anger", "calm"])
    Listener.heard = []
    Listener.n_fits = 0
    return system


def listen(*args, **options):
    """What is heard without noise and at each level, in this order."""
    Listener.heard = []
    noise_robustness(*args, **options)
    return Listener.heard


def measured_snr(clean, noisy):
    power = [np.nanmean(np.square(part, dtype=float), axis=1) for part in (clean, noisy - clean)]
    return 10 * np.log10(power[0] / power[1])


@pytest.mark.parametrize("kind", ["table", "paths", "array", "list"])
@pytest.mark.parametrize("noise", ["white", "pink"])
def test_levels_have_the_same_noise_but_for_its_gain(fitted, clips, table, kind, noise):
    waveforms, emotions, _ = clips
    X = {
        "table": table,
        "paths": table["path"].tolist(),
        "array": waveforms,
        "list": [samples[~np.isnan(samples)] for samples in waveforms],
    }[kind]
    clean, *noisy = listen(fitted, X, emotions, snr_db=LEVELS, noise=noise)
    assert_array_equal(clean, waveforms)
    for level, heard in zip(LEVELS, noisy, strict=True):
        assert_allclose(measured_snr(clean, heard), level, atol=1e-3)
        gain = 10 ** (level / 20)
        assert_allclose((heard - clean) * gain, noisy[0] * 10 - clean * 10, atol=20 * ROUNDING)
    # Each clip has a noise of its own.
    added = (noisy[0] - clean)[[0, 1, 2], :500]
    assert np.abs(np.corrcoef(added)[np.triu_indices(3, 1)]).max() < 0.3


def test_the_noise_follows_the_clip_and_the_seed_alone(fitted, clips, table):
    _, emotions, _ = clips
    _, first = listen(fitted, table, emotions, snr_db=5)
    _, again, _ = listen(fitted, table, emotions, snr_db=[5, 0])
    _, some = listen(fitted, table.iloc[::-1][:7], emotions[:7], snr_db=5)
    _, other = listen(fitted, table, emotions, snr_db=5, random_state=1)
    assert_array_equal(first, again)
    assert_array_equal(first[::-1][:7], some)
    assert not np.isclose(np.nan_to_num(first), np.nan_to_num(other)).all(axis=1).any()


def test_what_stands_in_augment_comes_first(fitted, clips, table):
    waveforms, emotions, _ = clips
    softer = table.assign(augment=[Gain(gain_db=-20).draw(0)] * 10 + [None] * 10)
    before = softer.copy()
    clean, noisy = listen(fitted, softer, emotions, snr_db=10)
    assert_allclose(clean[:10], waveforms[:10] / 10, rtol=1e-5)
    assert_array_equal(clean[10:], waveforms[10:])
    assert_allclose(measured_snr(clean, noisy), 10, atol=1e-3)
    pd.testing.assert_frame_equal(softer, before)


def test_noise_of_ones_own(fitted, clips, table, write_wav, tmp_path):
    _, emotions, _ = clips
    recording = np.sin(np.arange(4000)).astype(np.float32)
    write_wav("rooms/fan.wav", samples=recording, sample_rate=RATE, subtype="FLOAT")
    rooms = partial(BackgroundNoise, tmp_path / "rooms")
    clean, *noisy = listen(fitted, table, emotions, snr_db=LEVELS, noise=rooms)
    for level, heard in zip(LEVELS, noisy, strict=True):
        assert_allclose(measured_snr(clean, heard), level, atol=1e-3)
    assert_allclose((noisy[1] - clean) * 10 ** (-15 / 20), noisy[0] - clean, atol=ROUNDING)
    same = listen(fitted, table, emotions, snr_db=LEVELS, noise=AddNoise)
    assert_array_equal(same, listen(fitted, table, emotions, snr_db=LEVELS))

    def silence(snr_db):
        return lambda samples, sample_rate: samples * 0

    assert not np.nansum(np.abs(listen(fitted, table, emotions, snr_db=0, noise=silence)[1]))


def test_scores_are_those_of_the_predictions(fitted, clips, table):
    _, emotions, speakers = clips
    result = noise_robustness(fitted, table, emotions, snr_db=[-5, 20, 5], random_state=3)
    assert result.table.index.tolist() == [np.inf, 20, 5, -5]
    assert result.chance == 0.5
    assert result.unreadable == {}
    assert len(result.predictions) == 80
    # The angry half is loud, and with enough noise all are.
    assert result.table["balanced_accuracy"].iloc[0] > result.table["balanced_accuracy"].iloc[-1]
    for level, part in result.predictions.groupby("snr_db"):
        assert_array_equal(part["row"], range(20))
        assert_array_equal(part["true"], emotions)
        assert_array_equal(part["speaker"], speakers)
        row = result.table.loc[level]
        interval = speaker_bootstrap(part["true"], part["predicted"], speakers, random_state=3)
        assert_allclose(row[["low", "high"]].to_numpy(float), [interval.low, interval.high])
        for name, metric in (
            ("balanced_accuracy", balanced_accuracy_score),
            ("accuracy", accuracy_score),
            ("f1_macro", partial(f1_score, average="macro")),
        ):
            assert_allclose(row[name], metric(part["true"], part["predicted"]))
    uar = result.table["balanced_accuracy"]
    assert_allclose(result.table["lost"], uar[np.inf] - uar)


def test_nothing_is_fitted_and_chance_is_left_alone(fitted, clips, table):
    _, emotions, _ = clips
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    noise_robustness(fitted, table, emotions)
    assert Listener.n_fits == 0
    assert_array_equal(np.random.get_state()[1], before)


def test_processes_give_the_same(clips, table):
    waveforms, emotions, _ = clips
    system = make_pipeline(
        AudioReader(sample_rate=RATE, duration=0.05), KNeighborsClassifier(1)
    ).fit(table, emotions)
    runs = [
        noise_robustness(system, X, emotions, groups=table, snr_db=[0], n_jobs=n_jobs)
        for X in (table, waveforms)
        for n_jobs in (1, 2)
    ]
    for one, two in (runs[:2], runs[2:]):
        pd.testing.assert_frame_equal(one.predictions, two.predictions)
        pd.testing.assert_frame_equal(one.table, two.table)


def test_speakers_come_from_groups_or_table_or_not_at_all(fitted, clips, table):
    waveforms, emotions, speakers = clips
    for X, groups in ((table, None), (waveforms, speakers), (waveforms, table[["speaker"]])):
        result = noise_robustness(fitted, X, emotions, groups=groups)
        assert result.table[["low", "high"]].notna().all(axis=None)
    unknown = noise_robustness(fitted, waveforms, emotions)
    assert unknown.table[["low", "high"]].isna().all(axis=None)
    assert "speaker" not in unknown.predictions


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
def test_a_trained_system_hears_less_in_noise(written_corpus):
    table, emotions = written_corpus.data, written_corpus.target
    known = table["speaker"].isin(table["speaker"].unique()[:2])
    system = svm_functionals(n_mfcc=13, duration=2.0).fit(table[known], emotions[known])
    result = noise_robustness(system, table[~known], emotions[~known], snr_db=[60, -20])
    lost = result.table["lost"]
    assert lost[-20] > 0.2
    assert abs(lost[60]) < 0.2


def test_bad_files_are_named_and_counted_once(fitted, clips, table):
    _, emotions, _ = clips
    system = make_pipeline(
        AudioReader(sample_rate=RATE, duration=0.1, on_error="nan"), fitted[-1]
    ).fit(table, emotions)
    table.loc[2, "path"] = "gone.wav"
    with pytest.warns(UnreadableAudioWarning, match=r"1 file\(s\).*'gone.wav'") as caught:
        result = noise_robustness(system, table, emotions)
    assert len(caught) == 1
    assert list(result.unreadable) == ["gone.wav"]
    assert len(result.predictions) == 5 * 20


def test_progress_goes_to_the_error_stream(fitted, clips, monkeypatch, capsys):
    waveforms, emotions, _ = clips
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich draws as on a terminal
    noise_robustness(fitted, waveforms, emotions, verbose=1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "levels of noise" in captured.err


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"snr_db": []}, "at least one"),
        ({"snr_db": [[0, 5]]}, "at least one"),
        ({"snr_db": [np.inf, 5]}, "finite"),
        ({"snr_db": [5, 5.0]}, "twice"),
        ({"snr_db": [200]}, r"'snr_db' parameter.*\[-60.0, 120.0\].*Got 200.0"),
        ({"snr_db": None}, "'snr_db' parameter"),
        ({"noise": "brown"}, "'noise' parameter"),
        ({"noise": AddNoise()}, "'noise' parameter"),
        ({"noise": lambda snr_db: None}, r"noise\(snr_db=20\) returned None"),
        ({"groups": ["s1"] * 19}, "inconsistent numbers"),
        ({"random_state": -1}, "'random_state' parameter"),
    ],
)
def test_bad_parameters(fitted, clips, options, match):
    waveforms, emotions, _ = clips
    with pytest.raises(ValueError, match=match):
        noise_robustness(fitted, waveforms, emotions, **options)
    assert not Listener.heard


def test_bad_input(fitted, clips):
    waveforms, emotions, _ = clips
    with pytest.raises(ValueError, match="inconsistent numbers"):
        noise_robustness(fitted, waveforms, emotions[:-1])
    with pytest.raises(ValueError, match="of one emotion, calm"):
        noise_robustness(fitted, waveforms[::2], emotions[::2])
    with pytest.raises(ValueError, match="knows anger, calm; y holds angry, quiet"):
        noise_robustness(fitted, waveforms, ["angry", "quiet"] * 10)
    with pytest.raises(ValueError, match=r"shape \(20, 8, 100\)"):
        noise_robustness(fitted, waveforms.reshape(20, 8, 100), emotions)
    with pytest.raises(ValueError, match="type int16: noise is added to floats"):
        noise_robustness(fitted, list(np.zeros((20, 80), dtype=np.int16)), emotions)
    assert not Listener.heard


def test_vectors_and_what_is_not_fitted_are_refused(clips):
    waveforms, emotions, _ = clips
    vectors = KNeighborsClassifier().fit(waveforms[:, :3], emotions)
    with pytest.raises(ValueError, match="No step of the estimator names a sample rate"):
        noise_robustness(vectors, waveforms[:, :3], emotions)
    unfitted = svm_functionals()
    with pytest.raises(NotFittedError, match="fits nothing: call fit"):
        noise_robustness(unfitted, waveforms, emotions)
    with pytest.raises(ValueError, match="'estimator' parameter"):
        noise_robustness("svm", waveforms, emotions)


def test_noise_that_fails_is_named(fitted, clips, table):
    _, emotions, _ = clips

    def broken(snr_db):
        def too_short(samples, sample_rate):
            return samples[1:]

        return too_short

    with pytest.raises(AugmentationError, match=r"too_short to '.*wav': it returned 799 samples"):
        noise_robustness(fitted, table, emotions, noise=broken)
