"""load_ravdess, on made trees of the real names."""

from __future__ import annotations

import shutil
import warnings
from collections import Counter

import pytest

from sersk.datasets import load_ravdess
from sersk.exceptions import CorpusError, CorpusWarning

ALL_ACTORS = tuple(f"{actor:02d}" for actor in range(1, 25))


def test_whole_corpus(ravdess_tree):
    root = ravdess_tree(actors=ALL_ACTORS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        corpus = load_ravdess(root)
    assert corpus.data.columns.tolist() == ["path", "speaker", "sentence", "corpus"]
    assert len(corpus.data) == len(corpus.target) == len(corpus.groups) == 1439
    counts = Counter(corpus.target)
    assert counts.pop("neutral") == 96
    assert counts.pop("happiness") == 191
    assert set(counts.values()) == {192}
    assert corpus.target_names == [
        "anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise",
    ]  # fmt: skip
    assert set(corpus.groups) == {f"ravdess_{actor}" for actor in ALL_ACTORS}
    assert set(corpus.data["sentence"]) == {"ravdess_kids", "ravdess_dogs"}
    assert corpus.frame.loc[corpus.frame["speaker"] == "ravdess_02", "sex"].unique() == ["female"]
    assert "Ryerson" in corpus.DESCR
    assert len(load_ravdess(root, drop_flawed=False).data) == 1440


def test_every_part_of_a_name_is_read(ravdess_tree):
    with pytest.warns(CorpusWarning):
        frame = load_ravdess(ravdess_tree()).frame
    row = frame[frame["path"].str.endswith("03-01-05-02-02-01-01.wav")].iloc[0]
    assert row[["emotion", "speaker", "sentence", "sex", "intensity", "take",
    "channel"]].tolist() == [
        "anger", "ravdess_01", "ravdess_dogs", "male", "strong", 1, "speech",
    ]  # fmt: skip


def test_incomplete_corpus_warns_with_counts(ravdess_tree):
    with pytest.warns(CorpusWarning, match="120 of 1440 clips are there, by 2 speakers"):
        load_ravdess(ravdess_tree())


@pytest.mark.filterwarnings("ignore::sersk.exceptions.CorpusWarning")
def test_a_tree_nested_twice_counts_once(ravdess_tree):
    root = ravdess_tree()
    shutil.copytree(root / "Audio_Speech_Actors", root / "Audio_Speech_Actors" / "again")
    (root / "Audio_Speech_Actors" / "._03-01-01-01-01-01-01.wav").write_bytes(b"")
    corpus = load_ravdess(root)
    assert len(corpus.data) == 120
    assert not corpus.data["path"].str.contains("again").any()


@pytest.mark.filterwarnings("ignore::sersk.exceptions.CorpusWarning")
def test_channels_and_suffixes(ravdess_tree):
    ravdess_tree(suffix=".FLAC")
    root = ravdess_tree(channel="02", folder="Audio_Song_Actors")
    assert len(load_ravdess(root).data) == 120
    song = load_ravdess(root, channel="song")
    assert set(song.frame["channel"]) == {"song"}
    assert len(load_ravdess(root, channel="all").data) == 240


def test_other_folders(tmp_path, write_wav):
    with pytest.raises(CorpusError, match="no folder"):
        load_ravdess(tmp_path / "gone")
    with pytest.raises(CorpusError, match="holds no audio file"):
        load_ravdess(tmp_path)
    with pytest.raises(CorpusError, match="is a file"):
        load_ravdess(write_wav("other.wav"))
    with pytest.raises(CorpusError, match=r"none of its 1 audio file\(s\) \(other.wav"):
        load_ravdess(tmp_path)
    with pytest.raises(ValueError, match="'channel' parameter"):
        load_ravdess(tmp_path, channel="whispered")
