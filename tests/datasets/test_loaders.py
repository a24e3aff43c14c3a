"""The contract of all loaders of known corpora, on made trees of the real names."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.utils import Bunch

from sersk import datasets
from sersk.datasets._registry import CORPORA
from sersk.exceptions import CorpusError, CorpusWarning
from sersk.preprocessing import AudioReader

EMODB_SPEAKERS = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")

# Relative paths as they are unpacked, a part of each corpus.
TREES = {
    "ravdess": [
        f"Audio_Speech_Actors_01-24/Actor_{actor}/03-01-{emotion:02d}-01-0{text}-0{take}-{actor}.wav"
        for actor, emotion, text, take in product(("01", "02"), range(1, 9), (1, 2), (1, 2))
    ],
    "cremad": [
        f"AudioWAV/{actor}_{text}_{emotion}_{level}.wav"
        for actor, (text, level), emotion in product(
            (1001, 1091),
            (("IEO", "LO"), ("IEO", "HI"), ("TIE", "XX"), ("DFA", "XX")),
            ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"),
        )
    ],
    "tess": [
        f"{speaker}_{emotion}/{speaker}_{word}_{emotion}.wav"
        for speaker, word, emotion in product(
            ("OAF", "YAF"),
            ("back", "germ", "food"),
            ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad"),
        )
    ],
    "savee": [
        f"AudioData/{speaker}/{emotion}{number:02d}.wav"
        for speaker, emotion, number in product(
            ("DC", "JE", "JK", "KL"), ("a", "d", "f", "h", "n", "sa", "su"), (1, 4, 15)
        )
    ],
    "emodb": [
        f"wav/{speaker}{text}{emotion}{version}.wav"
        for speaker, text, emotion, version in product(
            EMODB_SPEAKERS, ("a01", "b10"), "WLEAFTN", "ac"
        )
    ],
}

EMOTIONS = {
    "ravdess": "anger calm disgust fear happiness neutral sadness surprise",
    "cremad": "anger disgust fear happiness neutral sadness",
    "tess": "anger disgust fear happiness neutral sadness surprise",
    "savee": "anger disgust fear happiness neutral sadness surprise",
    "emodb": "anger boredom disgust fear happiness neutral sadness",
}

pytestmark = pytest.mark.filterwarnings("ignore::sersk.exceptions.CorpusWarning")


def loader(name):
    return getattr(datasets, f"load_{name}")


@pytest.fixture
def plant(tmp_path):
    """Make silent files of given relative names."""

    def make(names, folder="corpus"):
        root = tmp_path / folder
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.zeros(8), 16000)
        return root

    return make


def test_every_known_corpus_is_tested():
    assert set(TREES) == set(EMOTIONS) == set(CORPORA)


@pytest.mark.parametrize("name", CORPORA)
def test_contract(name, plant):
    corpus = loader(name)(plant(TREES[name]))
    assert len(corpus.data) == len(corpus.target) == len(corpus.groups) == len(TREES[name])
    assert corpus.target_names == EMOTIONS[name].split()
    assert corpus.data.columns.tolist() == ["path", "speaker", "sentence", "corpus"]
    assert set(corpus.data["corpus"]) == {name}
    datasets.check_corpus(corpus)
    assert set(corpus.frame["sex"].dropna() if "sex" in corpus.frame else ()) <= {"female", "male"}
    assert CORPORA[name].title in corpus.DESCR
    for clip in CORPORA[name].flawed:
        assert clip in corpus.DESCR


@pytest.mark.parametrize("name", CORPORA)
def test_nested_twice_other_cases_and_suffixes(name, plant):
    root = plant(TREES[name])
    expected = loader(name)(root)
    shutil.copytree(root, root / "deeper" / "copy")
    again = loader(name)(root)
    pd.testing.assert_frame_equal(again.frame, expected.frame)
    shutil.rmtree(root / "deeper")
    for change in (str.upper, str.lower):
        for path in list(root.rglob("*.*")):
            path.rename(path.with_name(change(path.with_suffix(".flac").name)))
        changed = loader(name)(root)
        columns = expected.frame.columns.drop("path")
        pd.testing.assert_frame_equal(changed.frame[columns], expected.frame[columns])


@pytest.mark.parametrize("name", CORPORA)
def test_incomplete(name, plant):
    root = plant(TREES[name])
    message = f"{len(TREES[name])} of {CORPORA[name].n_clips} clips are there"
    with pytest.warns(CorpusWarning, match=message):
        loader(name)(root)
    with pytest.raises(CorpusError, match=message):
        loader(name)(root, on_incomplete="raise")
    loader(name)(root, on_incomplete="ignore")


@pytest.mark.parametrize("name", CORPORA)
def test_emotions_and_rename(name, plant):
    root = plant(TREES[name])
    corpus = loader(name)(root, rename={"anger": "fear"}, emotions=["fear", "neutral"])
    assert corpus.target_names == ["fear", "neutral"]
    assert list(corpus.frame.index) == list(range(len(corpus.frame)))
    with pytest.raises(ValueError, match="emotions names 'joy'; the emotions here are anger"):
        loader(name)(root, emotions=["joy"])
    with pytest.raises(ValueError, match="rename names 'rage'"):
        loader(name)(root, rename={"rage": "anger"})


@pytest.mark.parametrize("name", CORPORA)
def test_other_trees(name, plant, tmp_path):
    other = "tess" if name != "tess" else "savee"
    root = plant(TREES[other], "other")
    theirs = f"{len(TREES[other])} look like {CORPORA[other].title}: use load_{other}"
    with pytest.raises(CorpusError, match=theirs):
        loader(name)(root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="holds no audio file"):
        loader(name)(tmp_path / "empty")
    stub = tmp_path / "stubs" / Path(TREES[name][0]).name
    stub.parent.mkdir()
    stub.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(CorpusError, match=r"1 of 1 audio files .* Git LFS pointers.*git lfs pull"):
        loader(name)(tmp_path / "stubs")


def test_tess_odd_names(plant):
    root = plant(
        [
            "OAF_Fear/OAF_food_fear.wav",
            "oaf_neutral/OA_bite_neutral.wav",
            "YAF_sad/yaf_bite_Sad.wav",
        ]
    )
    frame = datasets.load_tess(root).frame
    assert frame["speaker"].tolist() == ["tess_OAF", "tess_OAF", "tess_YAF"]
    assert frame["emotion"].tolist() == ["neutral", "fear", "sadness"]
    assert frame["age"].tolist() == [64, 64, 26]


def test_savee_flat_names_and_sentences(plant):
    names = ["DC_a01", "DC_sa01", "DC_su04", "DC_s01", "DC_n15", "DC_n16", "DC_n19", "DC_n30"]
    frame = datasets.load_savee(plant([f"{name}.wav" for name in names])).frame
    found = dict(
        zip(frame["path"].map(lambda path: Path(path).stem), frame["sentence"], strict=True)
    )
    assert found == {
        "DC_a01": "savee_common_01",
        "DC_sa01": "savee_common_01",
        "DC_su04": "savee_surprise_04",
        "DC_n15": "savee_neutral_15",
        "DC_n16": "savee_common_01",
        "DC_n19": "savee_anger_04",
        "DC_n30": "savee_happiness_05",
    }


def test_emodb_facts(plant):
    frame = datasets.load_emodb(plant(["03a01Fa.wav", "08b10Wc.wav"])).frame
    assert frame[["emotion", "speaker", "sentence", "sex", "age", "take"]].to_numpy().tolist() == [
        ["happiness", "emodb_03", "emodb_a01", "male", 31, 1],
        ["anger", "emodb_08", "emodb_b10", "female", 34, 3],
    ]


@pytest.fixture
def cremad(plant):
    """CREMA-D as its repository has it, votes and demographics included."""
    names = ["1001_IEO_ANG_LO", "1001_IEO_NEU_XX", "1002_DFA_SAD_XX", "1076_MTI_SAD_XX"]
    root = plant([f"AudioWAV/{name}.wav" for name in names])
    (root / "VideoDemographics.csv").write_text(
        '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n'
        '1002,21,"Female","Asian","Not Hispanic"\n1076,25,"Female","Unknown","Hispanic"\n'
    )
    (root / "processedResults").mkdir()
    votes = {  # A, D, F, H, N, S of the voice alone
        "1001_IEO_ANG_LO": (2, 0, 0, 0, 6, 2),
        "1001_IEO_NEU_XX": (0, 0, 0, 0, 9, 0),
        "1002_DFA_SAD_XX": (0, 4, 0, 0, 2, 4),
        "1076_MTI_SAD_XX": (0, 0, 0, 0, 5, 1),
    }
    rows = [
        f"{100_000 * modality + number},{','.join(map(str, counts))},{name}"
        for modality, (number, (name, counts)) in product(
            (1, 2, 3), enumerate(votes.items(), start=1)
        )
    ]
    # Those who saw the face heard nothing: their votes must not count.
    rows = [row if row[0] == "1" else row.replace(",0", ",7") for row in rows]
    text = "\n".join(['"",A,D,F,H,N,S,fileName', *rows])
    (root / "processedResults" / "tabulatedVotes.csv").write_text(text)
    return root


@pytest.mark.parametrize("below", ["", "AudioWAV"])
def test_cremad_votes(cremad, below):
    corpus = datasets.load_cremad(cremad / below, drop_flawed=False)
    frame = corpus.frame
    assert frame["emotion"].tolist() == frame["intended"].tolist() == [
        "anger", "neutral", "sadness", "sadness",
    ]  # fmt: skip
    assert frame["perceived"].fillna("").tolist() == ["neutral", "neutral", "", "neutral"]
    np.testing.assert_allclose(frame["agreement"], [0.6, 1.0, 0.4, 5 / 6])
    assert frame["n_votes"].tolist() == [10, 9, 10, 6]
    np.testing.assert_allclose(corpus.vote_shares.sum(axis=1), 1)
    assert corpus.vote_shares.loc[0].to_dict() == {
        "anger": 0.2, "disgust": 0, "fear": 0, "happiness": 0, "neutral": 0.6, "sadness": 0.2,
    }  # fmt: skip
    assert frame.loc[2, ["sex", "age", "race", "ethnicity", "intensity"]].tolist() == [
        "female", 21, "Asian", "Not Hispanic", "unspecified",
    ]  # fmt: skip
    assert frame.loc[0, "intensity"] == "low"


def test_cremad_flaws_and_perceived_labels(cremad):
    intended = datasets.load_cremad(cremad)
    assert not intended.data["path"].str.contains("1076").any()
    perceived = datasets.load_cremad(cremad, labels="perceived", drop_flawed=False)
    assert perceived.target.tolist() == ["neutral"] * 3
    # The shares stay with their clips when others leave.
    kept = datasets.load_cremad(cremad, emotions=["sadness"])
    assert kept.vote_shares["disgust"].tolist() == [0.4]
    assert kept.frame.index.tolist() == kept.vote_shares.index.tolist() == [0]


def test_cremad_without_the_official_files(plant):
    root = plant(TREES["cremad"])
    assert datasets.load_cremad(root).vote_shares is None
    with pytest.raises(CorpusError, match=r"tabulatedVotes\.csv"):
        datasets.load_cremad(root, labels="perceived")


def test_folder(plant):
    root = plant(["Happy/ann_1.wav", "Happy/deep/ben_2.wav", "sad/ann_3.wav"], "mine")
    corpus = datasets.load_folder(root, speaker_pattern=r"([a-z]+)_\d")
    assert corpus.target.tolist() == ["happiness", "happiness", "sadness"]
    assert corpus.groups.tolist() == ["mine_ann", "mine_ben", "mine_ann"]
    assert datasets.load_folder(root, emotions=["sadness"]).groups is None
    with pytest.raises(CorpusError, match=r"speaker_pattern='x_' is not found in 'ann_1.wav'"):
        datasets.load_folder(root, speaker_pattern="x_")
    with pytest.raises(CorpusError, match="a folder in it for each emotion"):
        datasets.load_folder(plant(["a.wav"], "flat"))


def test_concat(plant):
    corpora = [loader(name)(plant(TREES[name], name)) for name in ("ravdess", "tess", "cremad")]
    everything = datasets.concat_corpora(corpora)
    assert len(everything.data) == sum(len(corpus.data) for corpus in corpora)
    assert everything.dropped.empty
    assert everything.frame["channel"].isna().sum() == len(TREES["tess"]) + len(TREES["cremad"])
    shared = datasets.concat_corpora(corpora, emotions="shared")
    assert shared.target_names == EMOTIONS["cremad"].split()
    assert shared.dropped.to_numpy().tolist() == [
        ["ravdess", "calm", 8], ["ravdess", "surprise", 8], ["tess", "surprise", 6],
    ]  # fmt: skip
    assert "- 8 clips of ravdess: calm" in shared.DESCR
    assert len(set(everything.groups)) == 6
    with pytest.raises(ValueError, match="in two corpora"):
        datasets.concat_corpora([corpora[0], corpora[0]])
    with pytest.raises(ValueError, match="corpora is empty"):
        datasets.concat_corpora([])


def test_concat_refuses_waveforms_and_nothing_shared(small_corpus, plant):
    with pytest.raises(ValueError, match="write_corpus makes files"):
        datasets.concat_corpora([small_corpus])
    calm = datasets.load_ravdess(plant(TREES["ravdess"], "r"), emotions=["calm"])
    anger = datasets.load_tess(plant(TREES["tess"], "t"), emotions=["anger"])
    with pytest.raises(ValueError, match="No emotion stands in all"):
        datasets.concat_corpora([calm, anger], emotions="shared")


def test_a_concatenated_frame_makes_the_same_corpus_again(plant, tmp_path):
    corpora = [loader(name)(plant(TREES[name], name)) for name in ("savee", "emodb")]
    corpus = datasets.concat_corpora(corpora)
    corpus.frame.to_csv(tmp_path / "unified.csv", index=False)
    again = datasets.load_csv(tmp_path / "unified.csv")
    pd.testing.assert_frame_equal(again.frame, corpus.frame, check_dtype=False)
    pd.testing.assert_frame_equal(again.data, corpus.data, check_dtype=False)


@pytest.mark.parametrize(
    ("seconds", "length", "hop", "expected"),
    [
        (1.0, 3.0, None, [(0, 1.0)]),
        (3.0, 1.0, None, [(0, 1), (1, 2), (2, 3)]),
        (2.5, 1.0, 1.0, [(0, 1), (1, 2), (2, 2.5)]),
        (2.0, 1.0, 0.5, [(0, 1), (0.5, 1.5), (1, 2)]),
        (2.0, 0.5, 0.75, [(0, 0.5), (0.75, 1.25), (1.5, 2.0)]),
        (2.0, 0.25, 1.0, [(0, 0.25), (1.0, 1.25)]),
        # What is left at the end is a rounding error, or half a sample.
        (0.9, 0.2, 0.3, [(0, 0.2), (0.3, 0.5), (0.6, 0.8)]),
        (10667 / 16000, 1 / 3, None, [(0, 1 / 3), (1 / 3, 2 / 3)]),
        (1 / 16000, 1.0, None, [(0, 1 / 16000)]),
    ],
)
def test_windows(write_wav, seconds, length, hop, expected):
    table = datasets.make_windows([write_wav(seconds=seconds)], length=length, hop=hop)
    np.testing.assert_allclose(table[["start", "stop"]], expected)
    assert AudioReader().fit_transform(table).shape[0] == len(expected)  # each holds a sample


def test_windows_of_a_clip_table(write_wav):
    path = write_wav(seconds=2.0)
    clips = pd.DataFrame({"path": path, "start": [None, 0.5], "stop": [0.5, None], "speaker": "ab"})
    clips["speaker"] = ["a", "b"]
    table = datasets.make_windows(clips, length=1.0)
    assert table["speaker"].tolist() == ["a", "b", "b"]
    np.testing.assert_allclose(table[["start", "stop"]], [(0, 0.5), (0.5, 1.5), (1.5, 2.0)])
    with pytest.raises(ValueError, match="there is no such file"):
        datasets.make_windows(["gone.wav"])
    with pytest.raises(ValueError, match="not numbers"):
        datasets.make_windows(np.zeros((2, 3)))


def broken(corpus, **changes):
    copy = Bunch(**corpus)
    copy.frame = corpus.frame.copy()
    copy.data = corpus.data.copy()
    for name, change in changes.items():
        if change is None:
            del copy[name]
        elif callable(change):
            change(copy[name])
        else:
            copy[name] = change
    return copy


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": None}, "no entry 'groups'"),
        ({"DESCR": " "}, "DESCR is empty"),
        ({"target_names": ["anger"]}, "target_names"),
        ({"target": np.array(["anger"])}, "rows"),
        ({"frame": lambda frame: frame.pop("corpus")}, "column 'corpus'"),
        (
            {"frame": lambda frame: frame.__setitem__("speaker", "DC")},
            "speaker .* name of its corpus",
        ),
        ({"frame": lambda frame: frame.__setitem__("path", "gone.wav")}, "84 files are not there"),
        ({"data": lambda data: data.__setitem__("path", data["path"][0])}, "differ in path"),
        ({"data": lambda data: data.__setitem__("speaker", "savee_XX")}, "differ in speaker"),
        ({"vote_shares": pd.DataFrame({"fear": [1.0]})}, "vote_shares"),
        ({"groups": np.array(["x"])}, "groups is not"),
        ({"target_names": np.array(["anger"])}, "target_names"),
    ],
    ids=lambda value: None if isinstance(value, str) else next(iter(value)),
)
def test_what_check_corpus_finds(plant, changes, message):
    corpus = datasets.load_savee(plant(TREES["savee"]))
    with pytest.raises(CorpusError, match=message):
        datasets.check_corpus(broken(corpus, **changes))


def test_check_corpus_of_what_is_not_told(plant):
    corpus = datasets.load_savee(plant(TREES["savee"]))
    corpus.groups = None
    with pytest.raises(CorpusError, match="groups is not frame"):
        datasets.check_corpus(corpus)
    corpus.target = np.array([np.nan] * len(corpus.frame), dtype=object)
    corpus.frame["emotion"] = pd.Series(corpus.target, dtype=object)
    with pytest.raises(CorpusError, match=r"an emotion is \[nan\], not a text"):
        datasets.check_corpus(corpus)


def test_check_corpus_wants_canonical_emotions(plant):
    corpus = datasets.load_savee(plant(TREES["savee"]), rename={"anger": "angry"})
    with pytest.raises(CorpusError, match="emotion 'angry' should be 'anger'"):
        datasets.check_corpus(corpus)


def test_copies(plant, rng):
    root = plant(TREES["savee"])
    files = sorted(root.rglob("*.wav"))
    for number, file in enumerate(files):
        soundfile.write(file, rng.uniform(-0.5, 0.5, size=8 + number % 5), 16000)
    corpus = datasets.load_savee(root)
    assert datasets.find_copies(corpus).empty
    by_name = {f"{file.parent.name}_{file.stem}": file for file in files}
    shutil.copy(by_name["DC_a01"], by_name["DC_sa04"])
    shutil.copy(by_name["JE_n01"], by_name["KL_n04"])
    copies = datasets.find_copies(corpus)
    assert copies.groupby("copy").size().tolist() == [2, 2]
    assert set(map(tuple, copies[["emotion", "conflict"]].to_numpy())) == {
        ("anger", True), ("sadness", True), ("neutral", False),
    }  # fmt: skip


def test_a_corpus_of_ones_own(plant):
    def parse(path):
        who, _, how = path.stem.partition("_")
        return (
            {"clip": path.stem, "emotion": how, "speaker": who, "sentence": "hello"}
            if how
            else None
        )

    mine = datasets.Corpus(
        name="mine", title="My corpus", parse=parse, n_clips=3, example="ann_fear.wav",
        licence="CC0", url="https://example.org", description="Me.", flawed={"ben_fear": "noise"},
    )  # fmt: skip
    root = plant(["ann_fear.wav", "deep/ben_fear.wav", "ben_anger.wav", "readme.wav"])
    corpus = datasets.load_corpus(mine, root, on_incomplete="raise")
    datasets.check_corpus(corpus)
    assert corpus.groups.tolist() == ["mine_ann", "mine_ben"]
    assert len(datasets.load_corpus(mine, root, drop_flawed=False).data) == 3


# Every code of every corpus: name -> emotion, speaker, sentence and what else it tells.
GRAMMAR = {
    "ravdess": {
        "columns": ("emotion", "speaker", "sentence", "sex", "intensity", "take", "channel"),
        "03-01-01-01-01-01-01": ("neutral", "01", "kids", "male", "normal", 1, "speech"),
        "03-01-02-02-02-02-02": ("calm", "02", "dogs", "female", "strong", 2, "speech"),
        "03-01-03-01-01-01-23": ("happiness", "23", "kids", "male", "normal", 1, "speech"),
        "03-01-04-01-01-01-24": ("sadness", "24", "kids", "female", "normal", 1, "speech"),
        "03-01-05-01-01-01-11": ("anger", "11", "kids", "male", "normal", 1, "speech"),
        "03-01-06-01-01-01-12": ("fear", "12", "kids", "female", "normal", 1, "speech"),
        "03-01-07-01-01-01-13": ("disgust", "13", "kids", "male", "normal", 1, "speech"),
        "03-01-08-01-01-01-14": ("surprise", "14", "kids", "female", "normal", 1, "speech"),
    },
    "cremad": {
        "columns": ("emotion", "speaker", "sentence", "intensity"),
        "1001_IEO_ANG_LO": ("anger", "1001", "IEO", "low"),
        "1002_IEO_DIS_MD": ("disgust", "1002", "IEO", "medium"),
        "1003_IEO_FEA_HI": ("fear", "1003", "IEO", "high"),
        "1091_TIE_HAP_XX": ("happiness", "1091", "TIE", "unspecified"),
        "1040_ITH_SAD_X": ("sadness", "1040", "ITH", "unspecified"),
        "1050_WSI_NEU_XX": ("neutral", "1050", "WSI", "unspecified"),
    },
    "tess": {
        "columns": ("emotion", "speaker", "sentence", "sex", "age"),
        "OAF_back_angry": ("anger", "OAF", "back", "female", 64),
        "OAF_back_disgust": ("disgust", "OAF", "back", "female", 64),
        "OAF_back_fear": ("fear", "OAF", "back", "female", 64),
        "YAF_dog_happy": ("happiness", "YAF", "dog", "female", 26),
        "YAF_dog_neutral": ("neutral", "YAF", "dog", "female", 26),
        "YAF_dog_ps": ("surprise", "YAF", "dog", "female", 26),
        "YAF_dog_sad": ("sadness", "YAF", "dog", "female", 26),
    },
    "savee": {
        "columns": ("emotion", "speaker", "sentence", "sex"),
        "DC_a06": ("anger", "DC", "anger_06", "male"),
        "JE_d07": ("disgust", "JE", "disgust_07", "male"),
        "JK_f08": ("fear", "JK", "fear_08", "male"),
        "KL_h09": ("happiness", "KL", "happiness_09", "male"),
        "KL_sa10": ("sadness", "KL", "sadness_10", "male"),
        "KL_su11": ("surprise", "KL", "surprise_11", "male"),
        "KL_n12": ("neutral", "KL", "neutral_12", "male"),
        "KL_n18": ("neutral", "KL", "common_03", "male"),
        "KL_n20": ("neutral", "KL", "anger_05", "male"),
        "KL_n21": ("neutral", "KL", "disgust_04", "male"),
        "KL_n23": ("neutral", "KL", "fear_04", "male"),
        "KL_n25": ("neutral", "KL", "surprise_04", "male"),
        "KL_n28": ("neutral", "KL", "sadness_05", "male"),
        "KL_n29": ("neutral", "KL", "happiness_04", "male"),
    },
    "emodb": {
        "columns": ("emotion", "speaker", "sentence", "sex", "age", "take"),
        "03a01Wa": ("anger", "03", "a01", "male", 31, 1),
        "08a02Lb": ("boredom", "08", "a02", "female", 34, 2),
        "09a04Ec": ("disgust", "09", "a04", "female", 21, 3),
        "10a05Aa": ("fear", "10", "a05", "male", 32, 1),
        "11a07Fa": ("happiness", "11", "a07", "male", 26, 1),
        "12b01Ta": ("sadness", "12", "b01", "male", 30, 1),
        "13b02Na": ("neutral", "13", "b02", "female", 32, 1),
        "14b03Na": ("neutral", "14", "b03", "female", 35, 1),
        "15b09Na": ("neutral", "15", "b09", "male", 25, 1),
        "16b10Na": ("neutral", "16", "b10", "female", 31, 1),
    },
}


@pytest.mark.parametrize(
    ("name", "stem"),
    [(name, stem) for name, table in GRAMMAR.items() for stem in table if stem != "columns"],
)
def test_grammar(name, stem):
    row = CORPORA[name].parse(Path(f"{stem}.wav"))
    columns = GRAMMAR[name]["columns"]
    assert tuple(row[column] for column in columns) == GRAMMAR[name][stem]
    assert set(row) == {"clip", *columns}


@pytest.mark.parametrize("name", CORPORA)
def test_the_table_of_names_has_every_emotion(name):
    emotions = {GRAMMAR[name][stem][0] for stem in GRAMMAR[name] if stem != "columns"}
    assert emotions == set(EMOTIONS[name].split())


def test_other_channel_is_named(plant):
    root = plant(TREES["ravdess"])
    with pytest.raises(CorpusError, match=r"clips of RAVDESS speech, none of song: use channel"):
        datasets.load_ravdess(root, channel="song")


def test_cremad_tables_that_are_not_what_they_should_be(cremad):
    demographics = cremad / "VideoDemographics.csv"
    good = demographics.read_text()
    demographics.write_text(good + '1001,51,"Male","Caucasian","Not Hispanic"\n')
    assert len(datasets.load_cremad(cremad, drop_flawed=False).data) == 4
    demographics.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(CorpusError, match=r"VideoDemographics.*no column 'ActorID'.*LFS pointer"):
        datasets.load_cremad(cremad)
    demographics.write_text(good)
    votes = cremad / "processedResults" / "tabulatedVotes.csv"
    lines = votes.read_text().splitlines()
    votes.write_text("\n".join([*lines, lines[1], "100009,0,0,0,0,0,0,1001_IEO_SAD_LO"]))
    assert len(datasets.load_cremad(cremad, drop_flawed=False).vote_shares) == 4


def test_concat_keeps_namesakes_apart(plant):
    one = plant(["happy/ann_1.wav", "sad/ann_2.wav"], "one/data")
    two = plant(["happy/ann_1.wav", "sad/ann_2.wav"], "two/data")
    pattern = r"^([a-z]+)_"
    first = datasets.load_folder(one, speaker_pattern=pattern)
    with pytest.raises(ValueError, match=r"both named 'data'.* column 'corpus'"):
        datasets.concat_corpora([first, datasets.load_folder(two, speaker_pattern=pattern)])
    second = datasets.load_folder(two, speaker_pattern=pattern, name="two")
    assert set(datasets.concat_corpora([first, second]).groups) == {"data_ann", "two_ann"}


def test_concat_without_all_speakers(plant, tmp_path):
    mute = datasets.load_folder(plant(["happy/1.wav"], "mute"))
    with pytest.warns(CorpusWarning, match="Corpus 0 does not tell the speaker"):
        both = datasets.concat_corpora([mute, datasets.load_tess(plant(TREES["tess"], "t"))])
    assert both.groups is None
    datasets.check_corpus(both)
    both.frame.to_csv(tmp_path / "both.csv", index=False)
    assert datasets.load_csv(tmp_path / "both.csv").groups is None


def test_speakers_with_and_without_prefix_are_not_merged(plant):
    root = plant(["sad/1_x.wav", "sad/mine_1_x.wav"], "mine")
    with pytest.raises(CorpusError, match="with and without the prefix 'mine_'"):
        datasets.load_folder(root, speaker_pattern=r"^(.*)_x")


def test_a_grammar_that_says_too_little(plant):
    mine = datasets.Corpus(
        name="mine", title="Mine", parse=lambda path: {"clip": path.stem, "emotion": "fear"},
        n_clips=1, example="a.wav", licence="CC0", url="https://example.org",
    )  # fmt: skip
    with pytest.raises(CorpusError, match=r"gives no 'speaker' for a\.wav"):
        datasets.load_corpus(mine, plant(["a.wav"]))


def test_hidden_folders_and_links_to_nowhere(plant):
    root = plant([".trash/DC_a02.wav", "DC_a01.wav"])
    (root / "DC_a03.wav").symlink_to("annex/of/git")
    corpus = datasets.load_savee(root)
    assert corpus.frame["path"].map(lambda path: Path(path).name).tolist() == [
        "DC_a01.wav", "DC_a03.wav",
    ]  # fmt: skip
    with pytest.raises(CorpusError, match="1 files are not there"):
        datasets.check_corpus(corpus)


def test_paths_are_absolute(plant, monkeypatch):
    monkeypatch.chdir(plant(TREES["savee"]).parent)
    assert datasets.load_savee("corpus").frame["path"].map(lambda p: Path(p).is_absolute()).all()


@pytest.mark.parametrize("name", [name for name, corpus in CORPORA.items() if corpus.flawed])
def test_flawed_clips_are_left_out(name, plant):
    root = plant([*TREES[name], *(f"flawed/{clip}.wav" for clip in CORPORA[name].flawed)])
    flawed = set(CORPORA[name].flawed)
    stems = [Path(path).stem for path in loader(name)(root).data["path"]]
    assert len(stems) == len({Path(path).stem for path in TREES[name]} - flawed)
    assert not flawed & set(stems)
    everything = loader(name)(root, drop_flawed=False).data["path"]
    assert flawed <= {Path(path).stem for path in everything}
