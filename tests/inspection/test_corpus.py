"""The display of a corpus."""

from __future__ import annotations

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sersk.inspection import CorpusDisplay

PANELS = ["emotions", "durations", "speakers", "sentences"]


@pytest.fixture(scope="module")
def display(small_corpus):
    return CorpusDisplay.from_corpus(small_corpus)


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def make_frame(n_speakers, n_emotions, *, name="corpus_{:03d}", emotion="emotion {}"):
    return pd.DataFrame(
        [
            {"emotion": emotion.format(j), "speaker": name.format(i), "duration": 1 + i + j}
            for i in range(n_speakers)
            for j in range(n_emotions)
        ]
    )


def test_counts_equal_value_counts(small_corpus, display):
    frame = small_corpus.frame
    for table, columns in (
        (display.emotion_counts, ["emotion", "sex"]),
        (display.speaker_counts, ["speaker", "emotion"]),
        (display.sentence_counts, ["sentence", "emotion"]),
    ):
        counted = table.stack()
        expected = frame[columns].value_counts()
        assert counted.to_dict() == expected.reindex(counted.index, fill_value=0).to_dict()
        assert counted.sum() == len(frame)


def test_durations_are_summarised_by_emotion(small_corpus, display):
    by_emotion = small_corpus.frame.groupby("emotion")["duration"]
    assert display.durations.columns.to_list() == ["count", "min", "25%", "50%", "75%", "max"]
    np.testing.assert_allclose(display.durations["50%"], by_emotion.median())
    np.testing.assert_allclose(display.durations["75%"], by_emotion.quantile(0.75))


def test_panels_and_labels(display):
    assert display.panels == PANELS
    bars, durations, speakers, sentences = display.axes_
    assert labels(bars.yaxis) == ["anger", "neutral", "sadness"]
    assert [text.get_text() for text in bars.get_legend().get_texts()] == ["female", "male"]
    assert labels(speakers.xaxis) == ["01", "02", "03", "04"]
    assert speakers.get_xlabel() == "Speaker (synthetic_...)"
    assert sentences.get_ylim() == (3.0, 0.0)
    assert durations.get_xlabel().startswith("Duration (s)")
    assert display.figure_.get_suptitle() == "24 clips, 3 emotions, 4 speakers, 2 sentences"


def test_bars_are_the_counts(display):
    bars = display.axes_[0]
    widths = [patch.get_width() for patch in bars.patches]
    assert widths == display.emotion_counts.T.to_numpy().ravel().tolist()
    assert [text.get_text() for text in bars.texts] == ["8", "8", "8"]


def test_heat_map_shows_the_counts(display):
    speakers = display.axes_[2]
    values = speakers.collections[0].get_array()
    np.testing.assert_array_equal(values, display.speaker_counts.T)
    assert [text.get_text() for text in speakers.texts] == ["2"] * 12


@pytest.mark.parametrize(
    ("columns", "panels"),
    [
        (["emotion"], ["emotions"]),
        (["emotion", "speaker"], ["emotions", "speakers"]),
        (["emotion", "duration"], ["emotions", "durations"]),
        (["emotion", "sentence", "sex"], ["emotions", "sentences"]),
    ],
)
def test_missing_columns_are_left_out(small_corpus, columns, panels):
    display = CorpusDisplay.from_corpus(small_corpus.frame[columns])
    assert display.panels == panels
    assert len(display.axes_) == len(panels)
    if "sex" not in columns:
        assert display.emotion_counts.columns.to_list() == ["clips"]
        assert display.axes_[0].get_legend() is None


def test_empty_columns_are_left_out_and_empty_cells_are_unknown(small_corpus):
    frame = small_corpus.frame.assign(sentence=None, duration=np.nan)
    frame.loc[:2, "sex"] = None
    frame.loc[:5, "speaker"] = np.nan
    display = CorpusDisplay.from_corpus(frame)
    assert display.panels == ["emotions", "speakers"]
    assert display.emotion_counts["unknown"].sum() == 3
    assert display.speaker_counts.loc["unknown"].sum() == 6
    assert "sentence" in frame  # the caller's own is left as it was
    assert frame["sentence"].isna().all()


def test_an_emotion_without_durations(small_corpus):
    frame = small_corpus.frame.copy()
    frame.loc[frame["emotion"] == "anger", "duration"] = None
    display = CorpusDisplay.from_corpus(frame)
    assert display.durations.loc["anger", "count"] == 0
    assert np.isfinite(display.axes_[1].get_xlim()).all()


def test_the_target_is_what_counts(small_corpus):
    corpus = small_corpus.copy()
    corpus["target"] = np.where(small_corpus.target == "anger", "rage", small_corpus.target)
    display = CorpusDisplay.from_corpus(corpus)
    assert display.emotion_counts.index.to_list() == ["neutral", "rage", "sadness"]


@pytest.mark.parametrize(
    ("by", "panels"),
    [
        ("speaker", ["durations", "speakers"]),
        (("emotion",), ["emotions", "durations"]),
        (["sentence", "speaker"], ["durations", "speakers", "sentences"]),
    ],
)
def test_by_chooses(small_corpus, by, panels):
    assert CorpusDisplay.from_corpus(small_corpus, by=by).panels == panels


def test_given_axes_are_used(small_corpus):
    figure, axes = plt.subplots(2, 2)
    display = CorpusDisplay.from_corpus(small_corpus, axes=axes)
    assert display.figure_ is figure
    assert display.axes_.tolist() == axes.ravel().tolist()
    assert labels(display.axes_[1].yaxis) == ["anger", "neutral", "sadness"]
    assert plt.get_fignums() == [figure.number]
    ax = plt.figure().add_subplot()
    assert CorpusDisplay.from_corpus(small_corpus.frame[["emotion"]], axes=ax).axes_[0] is ax


def test_plot_again(small_corpus):
    display = CorpusDisplay.from_corpus(small_corpus)
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first


@pytest.mark.parametrize("n_emotions", [2, 10])
@pytest.mark.parametrize("n_speakers", [1, 2, 24, 91])
def test_labels_keep_apart_for_any_number(n_speakers, n_emotions):
    display = CorpusDisplay.from_corpus(make_frame(n_speakers, n_emotions))
    display.figure_.canvas.draw()
    ax = display.axes_[-1]
    for axis in (ax.xaxis, ax.yaxis, display.axes_[0].xaxis):
        boxes = [label.get_window_extent() for label in axis.get_ticklabels() if label.get_text()]
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))
    assert bool(ax.texts) == (n_speakers < 91)


@pytest.mark.parametrize("n_speakers", [2, 12, 91])
def test_long_names_fit(n_speakers):
    frame = make_frame(
        n_speakers,
        3,
        name="{:03d} of a long recording session",
        emotion="as angry as can be, take {}",
    )
    display = CorpusDisplay.from_corpus(frame)
    display.figure_.canvas.draw()
    ax = display.axes_[-1]
    names = labels(ax.yaxis)
    assert len(set(names)) == 3
    assert max(map(len, names)) <= 24
    inside = display.figure_.bbox
    boxes = [label.get_window_extent() for label in ax.get_xticklabels() + ax.get_yticklabels()]
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= inside.x1 for box in boxes)
    upright = [label.get_window_extent() for label in ax.get_xticklabels()]
    assert not any(a.overlaps(b) for a, b in pairwise(upright))


def test_a_name_of_the_corpus_is_said_once():
    display = CorpusDisplay.from_corpus(make_frame(3, 2, name="a_b_{}"))
    assert labels(display.axes_[-1].xaxis) == ["0", "1", "2"]
    assert display.axes_[-1].get_xlabel() == "Speaker (a_b_...)"
    frame = make_frame(3, 2, name="speaker{}")
    assert CorpusDisplay.from_corpus(frame).axes_[-1].get_xlabel() == "Speaker"


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda c: c.frame[:0], ValueError, "has no clip"),
        (lambda c: c.frame.drop(columns="emotion"), ValueError, "no column 'emotion'.*Rename"),
        (lambda c: c.data, TypeError, "must be a corpus.*got ndarray"),
        (lambda c: None, TypeError, "must be a corpus.*got NoneType"),
        (lambda c: {"data": c.data}, TypeError, "must be a corpus.*got dict"),
        (lambda c: type(c)(frame=c.frame[:3], target=c.target), ValueError, "3 rows.*24 in target"),
    ],
)
def test_what_is_no_corpus_is_refused(small_corpus, change, error, match):
    with pytest.raises(error, match=match):
        CorpusDisplay.from_corpus(change(small_corpus))


def test_bad_requests_are_refused(small_corpus):
    with pytest.raises(ValueError, match=r"by holds 'age'.*choose from 'emotion'"):
        CorpusDisplay.from_corpus(small_corpus, by=["emotion", "age"])
    with pytest.raises(ValueError, match=r"nothing to show.*'sex' only splits"):
        CorpusDisplay.from_corpus(small_corpus.frame[["emotion", "sex"]], by="sex")
    with pytest.raises(ValueError, match=r"axes must be 4 .* emotions, durations.*got 1"):
        CorpusDisplay.from_corpus(small_corpus, axes=plt.figure().add_subplot())
    with pytest.raises(ValueError, match="given no table"):
        CorpusDisplay().plot()
