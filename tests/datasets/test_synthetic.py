"""make_emotional_speech: the corpus it returns, the cues in it, and how hard it is."""

import librosa
import numpy as np
import pytest
from imblearn.pipeline import make_pipeline
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler

from sersk.datasets import _synthetic, _voice, make_emotional_speech
from sersk.model_selection import ProtocolSplit
from sersk.recipes import svm_functionals

ALL = sorted(_synthetic._CUES)
SMALL = {"n_speakers": 2, "n_sentences": 2, "emotions": ("anger", "sadness"), "repetitions": 1}


def sounds(corpus):
    """Return the clips without their padding."""
    return [clip[~np.isnan(clip)] for clip in corpus.data]


def decibels(power):
    return 10 * np.log10(power)


def keyed(corpus):
    """Return the clips by what they are."""
    keys = corpus.frame[["speaker", "sentence", "emotion", "take"]]
    return dict(zip(keys.itertuples(index=False, name=None), sounds(corpus), strict=True))


@pytest.fixture(scope="module")
def cues():
    """Return, by emotion, measured cues of the average of eight speakers, all ten emotions."""
    corpus = make_emotional_speech(
        n_speakers=8, n_sentences=2, emotions=ALL, repetitions=2, random_state=0
    )
    frame = corpus.frame[["emotion", "sex", "duration"]].copy()
    frequencies = librosa.fft_frequencies(sr=16000)
    for row, clip in enumerate(sounds(corpus)):
        rms = librosa.feature.rms(y=clip)[0]
        f0 = librosa.yin(clip, fmin=60, fmax=600, sr=16000)[rms > rms.max() / 4]
        semitones = 12 * np.log2(f0)
        spectrum = (np.abs(librosa.stft(clip)) ** 2).mean(axis=1)
        high, low = frequencies > 1000, frequencies < 500
        frame.loc[row, "f0"] = np.median(semitones)
        frame.loc[row, "span"] = np.subtract(*np.percentile(semitones, [85, 15]))
        frame.loc[row, "level"] = decibels(np.mean(clip.astype(float) ** 2))
        frame.loc[row, "brightness"] = decibels(spectrum[high].mean() / spectrum[low].mean())
    return frame


def test_bunch():
    corpus = make_emotional_speech(**SMALL, random_state=0)
    assert corpus.data.dtype == np.float32
    assert corpus.data.shape[0] == len(corpus.frame) == 8
    assert corpus.sample_rate == 16000
    assert corpus.target_names == ["anger", "sadness"]
    assert "synthesiser" in corpus.DESCR
    frame = corpus.frame
    assert list(frame) == [*("emotion", "speaker", "sentence", "corpus", "sex", "take", "duration")]
    assert list(corpus.target) == list(frame["emotion"])
    assert list(corpus.groups) == list(frame["speaker"])
    assert set(corpus.groups) == {"synthetic_01", "synthetic_02"}
    assert set(frame["sentence"]) == {"synthetic_s01", "synthetic_s02"}
    assert frame.groupby("speaker")["sex"].first().tolist() == ["female", "male"]
    assert set(frame["corpus"]) == {"synthetic"}
    assert set(frame["take"]) == {1}


def test_default_size_counts():
    corpus = make_emotional_speech(n_speakers=1, n_sentences=1)
    assert corpus.frame.groupby("emotion").size().tolist() == [2] * 6


def test_nan_after_the_end_only_and_samples_in_range():
    corpus = make_emotional_speech(
        n_speakers=6, n_sentences=3, emotions=ALL, repetitions=1, random_state=1
    )
    present = ~np.isnan(corpus.data)
    lengths = present.sum(axis=1)
    assert np.array_equal(present, np.arange(corpus.data.shape[1]) < lengths[:, None])
    assert lengths.max() == corpus.data.shape[1]
    np.testing.assert_allclose(lengths / 16000, corpus.frame["duration"])
    assert corpus.frame["duration"].between(1.0, 5.0).all()
    assert np.nanmax(np.abs(corpus.data)) <= 1.0
    for clip in sounds(corpus):
        # Silence before and after, yet never digital zero: the room is there.
        power = clip.astype(float) ** 2
        edges = max(power[:800].mean(), power[-800:].mean())
        assert 0 < edges < 0.05 * power.mean()
        assert abs(clip.mean()) < 0.01


@pytest.mark.parametrize("random_state", [0, 7])
def test_same_random_state_same_bits(random_state):
    first = make_emotional_speech(**SMALL, random_state=random_state)
    second = make_emotional_speech(**SMALL, random_state=random_state)
    np.testing.assert_array_equal(first.data, second.data)
    third = make_emotional_speech(**SMALL, random_state=np.random.RandomState(random_state))
    np.testing.assert_array_equal(first.data, third.data)
    other = make_emotional_speech(**SMALL, random_state=random_state + 1)
    assert first.data.shape != other.data.shape or not np.array_equal(first.data, other.data)


@pytest.mark.parametrize(
    "larger",
    [
        {"n_speakers": 3},
        {"n_sentences": 3},
        {"repetitions": 2},
        {"emotions": ("fear", "sadness", "anger")},
        {"n_speakers": 3, "n_sentences": 3, "emotions": ALL, "repetitions": 2},
    ],
)
def test_a_larger_corpus_contains_the_smaller(larger):
    few = keyed(make_emotional_speech(**SMALL, random_state=3))
    many = keyed(make_emotional_speech(**(SMALL | larger), random_state=3))
    assert len(many) > len(few)
    for key, clip in few.items():
        np.testing.assert_array_equal(clip, many[key])


def test_no_two_clips_alike():
    clips = sounds(make_emotional_speech(**(SMALL | {"repetitions": 2}), random_state=0))
    assert len({clip.tobytes() for clip in clips}) == len(clips)


def test_global_random_state_untouched():
    before = np.random.get_state()
    make_emotional_speech(**SMALL, random_state=0)
    after = np.random.get_state()
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2] == after[2]


@pytest.mark.parametrize("sample_rate", [8000, 11025, 22050, 48000])
def test_sample_rate_changes_the_bandwidth_and_nothing_else(sample_rate):
    settings = SMALL | {"random_state": 5}
    usual = make_emotional_speech(**settings)
    corpus = make_emotional_speech(**settings, sample_rate=sample_rate)
    assert corpus.sample_rate == sample_rate
    np.testing.assert_allclose(corpus.frame["duration"], usual.frame["duration"], atol=1e-4)
    for clip, reference in zip(sounds(corpus), sounds(usual), strict=True):
        shapes = []
        for sound, rate in ((clip, sample_rate), (reference, 16000)):
            n_fft = round(0.032 * rate)
            frames = librosa.util.frame(sound, frame_length=n_fft, hop_length=n_fft // 4)
            window = np.hanning(n_fft)[:, None] / np.sqrt(n_fft * rate)
            spectrum = np.abs(np.fft.rfft(frames * window, axis=0)) ** 2
            # Power per hertz from 0 to 3 kHz, in bands of 500 Hz.
            shapes.append(decibels(spectrum.mean(axis=1)[:96].reshape(6, 16).mean(axis=1)))
        np.testing.assert_allclose(shapes[0], shapes[1], atol=3)


def test_the_filters_die_away_within_their_frames(monkeypatch):
    # If they did not, their tails would come round to the start of the frame and click.
    settings = {"n_speakers": 4, "n_sentences": 2, "emotions": ALL, "repetitions": 1}
    short = make_emotional_speech(**settings, random_state=0).data
    monkeypatch.setattr(_voice, "_FRAME", 16)
    long = make_emotional_speech(**settings, random_state=0).data
    error = np.nanmean((short - long) ** 2, axis=1) / np.nanmean(long**2, axis=1)
    assert decibels(error).max() < -50


@pytest.mark.parametrize("emotion", ["neutral", "happiness", "sadness"])
@pytest.mark.parametrize("speaker", [0, 1])
def test_the_voice_follows_its_f0_contour(monkeypatch, emotion, speaker):
    contours = []

    def record(times, *args):
        contours.append((times, wanted(times, *args)))
        return contours[-1][1]

    wanted = _voice._generate_f0_contour
    monkeypatch.setattr(_voice, "_generate_f0_contour", record)
    corpus = make_emotional_speech(
        n_speakers=2, n_sentences=1, emotions=[emotion], repetitions=1, random_state=0
    )
    clip, (times, contour) = sounds(corpus)[speaker], contours[speaker]
    rms = librosa.feature.rms(y=clip, hop_length=256)[0]
    f0 = librosa.yin(clip, fmin=60, fmax=600, sr=16000, hop_length=256)
    heard = rms > rms.max() / 4
    expected = np.interp(librosa.times_like(f0, sr=16000, hop_length=256), times, contour)
    error = 12 * np.abs(np.log2(f0 / expected))[heard]
    assert heard.sum() > 30
    assert np.median(error) < 0.5  # semitones


def test_f0_contour_has_the_mean_asked_for():
    sentence = _voice.generate_sentence(0)
    cues = _synthetic._CUES["neutral"]._replace(pitch=3.0, span=20, final=2.0)
    rng = np.random.default_rng(0)
    spans = _voice._generate_timing(sentence, cues, rng)
    times = np.arange(0, spans[-1, 1], 0.01)
    f0 = _voice._generate_f0_contour(times, spans, sentence, cues, 120.0, rng)
    spoken = (times > spans[0, 1]) & (times < spans[-1, 0])
    assert 12 * np.log2(f0 / 120.0)[spoken].mean() == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize(
    ("cue", "order"),
    # From the lowest mean of a cue to the highest, as the literature has it.
    [
        ("f0", ("sadness", "neutral", "anger")),
        ("f0", ("boredom", "neutral", "happiness")),
        ("f0", ("contempt", "neutral", "fear")),
        ("f0", ("disgust", "neutral", "surprise")),
        ("span", ("sadness", "neutral", "happiness")),
        ("span", ("boredom", "neutral", "surprise")),
        ("duration", ("fear", "neutral", "sadness")),
        ("duration", ("anger", "neutral", "boredom")),
        ("level", ("sadness", "neutral", "anger")),
        ("brightness", ("sadness", "neutral", "anger")),
        ("brightness", ("boredom", "neutral", "happiness")),
    ],
)
def test_cues_are_ordered_as_in_the_literature(cues, cue, order):
    means = cues.groupby("emotion")[cue].mean()
    assert means[list(order)].is_monotonic_increasing


def test_women_have_higher_voices(cues):
    means = cues.groupby("sex")["f0"].mean()
    assert 7 < means["female"] - means["male"] < 13  # semitones


@pytest.mark.parametrize(
    ("emotions", "message"),
    [
        (("anger", "rage"), r"holds 'rage', which is unknown: choose from 'anger', 'boredom'"),
        (("anger", "fear", "anger"), r"holds 'anger' more than once"),
        ((), r"emotions is empty"),
        ("anger", r"'emotions' parameter"),
    ],
)
def test_bad_emotions(emotions, message):
    with pytest.raises(ValueError, match=message):
        make_emotional_speech(emotions=emotions)


@pytest.mark.parametrize(
    "parameter",
    [
        {"n_speakers": 0},
        {"n_sentences": 1.5},
        {"repetitions": 0},
        {"sample_rate": 7999},
        {"sample_rate": 48001},
        {"random_state": "seed"},
    ],
)
def test_bad_parameters(parameter):
    with pytest.raises(ValueError, match=f"'{next(iter(parameter))}' parameter"):
        make_emotional_speech(**parameter)


def test_hard_in_the_right_way():
    """What the corpus is made for, with the recipe that is the baseline of everything."""
    corpus = make_emotional_speech(n_speakers=12, random_state=4)
    clips, y, groups = sounds(corpus), corpus.target, corpus.groups
    recipe = svm_functionals()
    # The features of a clip depend on nothing but the clip: once is enough for all folds.
    describe = recipe["features"]
    classify = make_pipeline(*(recipe[name] for name in ("oversample", "impute", "scale", "svm")))

    def uar(X, protocol="speaker"):
        cv = ProtocolSplit(protocol)
        scores = cross_val_score(
            classify, X, y, groups=corpus.frame, cv=cv, scoring="balanced_accuracy"
        )
        return 100 * scores.mean()

    X = describe.fit_transform(corpus.data)
    score = uar(X)
    assert 55 <= score <= 80
    assert uar(X, "random") >= score + 5

    by_speaker = X.copy()
    for speaker in np.unique(groups):
        rows = groups == speaker
        by_speaker[rows] = StandardScaler().fit_transform(X[rows])
    assert uar(by_speaker) >= score + 5

    # No single number gives the emotion away.
    level = [[decibels(np.mean(clip.astype(float) ** 2))] for clip in clips]
    assert uar(np.array(level)) <= 35
    loudness = [2 * decibels(librosa.feature.rms(y=clip)[0]) for clip in clips]
    assert uar(np.array([[x.mean(), x.std()] for x in loudness])) <= 35
    assert uar(corpus.frame[["duration"]].to_numpy()) <= 40
