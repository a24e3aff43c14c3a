"""load_csv and write_corpus: what users bring, and the way back."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from sersk.datasets import load_csv, write_corpus
from sersk.exceptions import CorpusError, CorpusWarning
from sersk.preprocessing import AudioReader


@pytest.fixture
def write_csv(tmp_path, write_wav):
    """Write a CSV file and the (tiny) recordings that it names."""

    def write(text, *, name="mine.csv", files=("a.wav", "b.wav")):
        for file in files:
            write_wav(file, seconds=0.01)
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_own_columns(write_csv, tmp_path):
    csv = write_csv("file,label,who,text,age\na.wav,Happy,01,kids,31\nb.wav,grumpy,2,dogs,\n")
    corpus = load_csv(
        csv,
        path_column="file",
        label_column="label",
        speaker_column="who",
        sentence_column="text",
    )
    assert corpus.data.columns.tolist() == ["path", "speaker", "sentence", "corpus"]
    assert corpus.data["path"].tolist() == [str(tmp_path / "a.wav"), str(tmp_path / "b.wav")]
    assert corpus.target.tolist() == ["happiness", "grumpy"]
    assert corpus.groups.tolist() == ["mine_01", "mine_2"]
    assert corpus.frame["age"].tolist()[0] == 31
    assert AudioReader().fit_transform(corpus.data).shape == (2, 160)


def test_only_what_is_needed(write_csv):
    corpus = load_csv(write_csv("path,emotion\na.wav,sad\nb.wav,fear\n"))
    assert corpus.groups is None
    assert corpus.data.columns.tolist() == ["path", "corpus"]


def test_a_name_beside_names_in_the_file(write_csv):
    csv = write_csv("path,emotion,corpus\na.wav,sad,one\nb.wav,fear,one\n")
    with pytest.warns(CorpusWarning, match="name='two' is not used"):
        corpus = load_csv(csv, name="two")
    assert set(corpus.data["corpus"]) == {"one"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_csv(csv, name="one")


def test_parts_of_files_and_several_corpora(write_csv):
    csv = write_csv(
        "path,emotion,start,stop,speaker,corpus\n"
        "a.wav,sad,0,0.005,1,one\na.wav,fear,0.005,,1,two\nb.wav,fear,,,one_2,one\n"
    )
    corpus = load_csv(csv)
    assert corpus.groups.tolist() == ["one_1", "two_1", "one_2"]
    waveforms = AudioReader().fit_transform(corpus.data)
    assert (~np.isnan(waveforms)).sum(axis=1).tolist() == [80, 80, 160]


def test_roots_are_searched_in_turn(write_csv, tmp_path, write_wav):
    csv = write_csv("path,emotion\nx.wav,sad\ny.wav,fear\n", files=())
    write_wav("one/x.wav", seconds=0.01)
    write_wav("two/x.wav", seconds=0.01)
    write_wav("two/y.wav", seconds=0.01)
    corpus = load_csv(csv, root=[tmp_path / "one", tmp_path / "two"])
    assert corpus.data["path"].tolist() == [
        str(tmp_path / "one" / "x.wav"), str(tmp_path / "two" / "y.wav"),
    ]  # fmt: skip


def test_missing_files(write_csv):
    csv = write_csv("path,emotion\na.wav,sad\ngone.wav,fear\n")
    with pytest.warns(CorpusWarning, match=r"1 of 2 files .* gone.wav.*root="):
        corpus = load_csv(csv)
    assert len(corpus.data) == 2
    csv = write_csv("path,emotion\ngone.wav,sad\n")
    with pytest.raises(CorpusError, match="1 of 1 files"):
        load_csv(csv)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as CSV"),
        ("path,emotion\n", "describes no clip"),
        ("file,emotion\na.wav,sad\n", "no column 'path'; it has 'file', 'emotion'"),
        ("path,label\na.wav,sad\n", "no column 'emotion'"),
        ("path,emotion\na.wav,sad\nb.wav,\n", "no emotion in 1 row.* row 2 below"),
        ("path,emotion,speaker\na.wav,sad,\n", "no speaker in 1 row.* row 1 below"),
        ('path,emotion\n"a.wav,sad\n', "cannot be read as CSV"),
        ("path,emotion,emotion\na.wav,sad,fear\n", "more than one column 'emotion'"),
        ("path,emotion,corpus\na.wav,sad,\n", "no corpus in 1 row"),
        ("path,emotion,speaker\na.wav,sad,01\nb.wav,sad,mine_01\n", "with and without the prefix"),
    ],
)
def test_bad_tables(write_csv, text, message):
    with pytest.raises(CorpusError, match=message):
        load_csv(write_csv(text))


def test_one_column_in_two_roles(write_csv):
    with pytest.raises(CorpusError, match="two roles"):
        load_csv(write_csv("path,emotion\na.wav,sad\n"), speaker_column="emotion")
    with pytest.raises(CorpusError, match="root is empty"):
        load_csv(write_csv("path,emotion\na.wav,sad\n"), root=[])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_spreadsheets_write(write_csv, separator):
    text = "\ufeffpath , emotion,speaker\na.wav ,sad ,01 \nb.wav,fear,01\na.wav,fear,NA\n"
    corpus = load_csv(write_csv(text.replace(",", separator)))
    assert corpus.target.tolist() == ["sadness", "fear", "fear"]
    # One person with a blank is one person; NA is a name.
    assert corpus.groups.tolist() == ["mine_01", "mine_01", "mine_NA"]


def test_another_encoding_is_named(write_csv):
    csv = write_csv("path,emotion\na.wav,sad\n")
    csv.write_bytes("path,emotion\na.wav,fröhlich\n".encode("cp1252"))
    with pytest.raises(CorpusError, match="Save it as 'CSV UTF-8'"):
        load_csv(csv)


def test_no_such_file(tmp_path):
    with pytest.raises(CorpusError, match="There is no file"):
        load_csv(tmp_path / "gone.csv")
    with pytest.raises(CorpusError, match="cannot be read"):
        load_csv(tmp_path)


def test_written_corpus_is_the_same(small_corpus, tmp_path):
    written = write_corpus(small_corpus, tmp_path / "speech")
    assert_array_equal(written.target, small_corpus.target)
    assert_array_equal(written.groups, small_corpus.groups)
    columns = [column for column in small_corpus.frame.columns if column != "duration"]
    assert_frame_equal(written.frame[columns].astype(str), small_corpus.frame[columns].astype(str))
    assert written.DESCR == small_corpus.DESCR
    reader = AudioReader(sample_rate=small_corpus.sample_rate)
    # 16 bit: half a step of rounding, and one at full scale.
    assert_allclose(reader.fit_transform(written.data), small_corpus.data, rtol=0, atol=2**-15)
    again = load_csv(tmp_path / "speech" / "corpus.csv")
    assert_frame_equal(again.frame, written.frame)


def test_frame_makes_the_same_corpus_again(written_corpus, tmp_path):
    written_corpus.frame.to_csv(tmp_path / "unified.csv", index=False)
    again = load_csv(tmp_path / "unified.csv")
    assert_frame_equal(again.frame, written_corpus.frame)
    assert_frame_equal(again.data, written_corpus.data)


def test_what_cannot_be_written(small_corpus, written_corpus, tmp_path):
    with pytest.raises(ValueError, match="has files already"):
        write_corpus(written_corpus, tmp_path)
    silent = small_corpus.copy()
    silent["data"] = np.full_like(small_corpus.data, np.nan)
    with pytest.raises(ValueError, match="Clip 0 holds no sample"):
        write_corpus(type(small_corpus)(**silent), tmp_path)


def test_an_interrupted_write_leaves_no_table(small_corpus, tmp_path, monkeypatch):
    def interrupt(path, *_, **__):
        if path.name.startswith(".00003"):
            path.write_bytes(b"RIFF")
            raise KeyboardInterrupt

    (tmp_path / "corpus.csv").write_text("an older one")
    monkeypatch.setattr("soundfile.write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_corpus(small_corpus, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3
    assert not any(name.startswith(".") or name.endswith(".csv") for name in names)


def test_dtype_of_strings_is_numpys(written_corpus):
    assert written_corpus.target.dtype.kind == written_corpus.groups.dtype.kind == "U"
    assert isinstance(written_corpus.frame, pd.DataFrame)
