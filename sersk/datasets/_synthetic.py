"""Synthetic emotional speech: a corpus for demos, examples and tests.

What an emotion does to a voice stands in one table, ``_CUES``; the voice itself is in `_voice.py`.
"""

from collections.abc import Sequence
from itertools import product
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from ._base import load_description, make_corpus_bunch
from ._voice import Array, Cues, Speaker, generate_sentence, seeded_generator, synthesise

# Directions follow the reviews of Scherer (2003) and Juslin and Laukka (2003); for disgust,
# boredom, contempt and surprise also Banse and Scherer (1996), Murray and Arnott (1993), Burkhardt
# and Sendlmeier (2000). Sizes are chosen so that the corpus is about as hard as acted ones.
_CUES = {
    #              pitch span final trem rate pause level tilt breath jit attack clar jaw smile
    "anger": Cues(4.5, 50, -3.0, 0.0, 13, -30, 4.5, -7.5, -3, 50, -60, 20, 10, -1),
    "boredom": Cues(-2.2, -65, -1.0, 0.0, -28, 40, -3.5, 4.5, 1, 5, 40, -35, -6, -2),
    "calm": Cues(-1.5, -35, -1.0, 0.0, -16, 15, -3.5, 3.5, 3, -15, 35, -10, 0, 0),
    "contempt": Cues(-2.2, -15, -3.5, 0.0, -10, 10, 0.0, -1.0, 0, 15, 0, 10, -5, -4),
    "disgust": Cues(-2.2, 10, -5.0, 0.0, -18, 35, 0.0, 1.5, 0, 40, -5, 10, 9, -4),
    "fear": Cues(6.5, -10, 2.0, 0.6, 22, 10, 0.5, -1.5, 6, 55, 0, -10, -5, 2),
    "happiness": Cues(5.0, 55, 2.0, 0.0, 7, -15, 3.0, -4.5, 0, -5, -20, 15, 3, 6),
    "neutral": Cues(0.0, 0, 0.0, 0.0, 0, 0, 0.0, 0.0, 0, 0, 0, 0, 0, 0),
    "sadness": Cues(-2.2, -55, -1.5, 0.3, -22, 50, -4.5, 6.5, 6, 20, 55, -35, -5, -2),
    "surprise": Cues(7.0, 90, 8.0, 0.0, 3, 0, 2.5, -3.5, 2, 0, -15, 10, 10, 2),
}
# Standard deviations. Every speaker has a way of their own to express each emotion, which makes
# strangers hard and a random split too easy,
_STYLE_SD = np.array(Cues(1.4, 23, 1.5, 0.1, 7, 22, 2.7, 2.3, 2.2, 20, 22, 9, 3.1, 2.2))
# a way of their own to say anything at all (f0 and formants are the speaker's already),
_HABIT_SD = np.array(Cues(0.0, 10, 0.5, 0.0, 5, 12, 1.8, 1.2, 1.5, 12, 10, 5, 1.2, 0.0))
# and says nothing twice in the same way.
_CLIP_SD = np.array(Cues(1.7, 30, 2.2, 0.1, 10, 30, 4.5, 2.6, 2.4, 26, 30, 12, 3.0, 1.8))


def _generate_speaker(seed: int, index: int) -> Speaker:
    """Draw a speaker; those of even index are women."""
    rng = seeded_generator(seed, 0, index)

    def spread(sd: Any) -> Any:
        # Uniform, not normal: among a dozen speakers no one should be out of this world.
        return np.sqrt(3) * rng.uniform(-np.asarray(sd), sd)

    f0, tract = (208.0, 1.16) if index % 2 == 0 else (118.0, 1.0)
    return Speaker(
        f0=float(f0 * 2 ** (spread(1.6) / 12)),
        formant_scale=tract * np.exp(spread(0.03) + spread(np.full(4, 0.02))),
        habits=spread(_HABIT_SD),
        expressiveness=float(rng.uniform(0.85, 1.3)),
        colour=spread(np.array([2.2, 1.7, 1.3, 0.9])),
        gain=float(spread(3.0)),
        noise_floor=float(rng.uniform(-73.0, -63.0)),
        noise_corner=float(100.0 * 2 ** rng.uniform(0.0, 4.0)),
    )


def _generate_style(seed: int, index: int, speaker: Speaker, emotion: str) -> Array:
    """Draw the cues by which one speaker expresses one emotion, whatever they say."""
    rng = seeded_generator(seed, 1, index, list(_CUES).index(emotion))
    own = _STYLE_SD * rng.standard_normal(len(_STYLE_SD))
    style = speaker.habits + speaker.expressiveness * np.array(_CUES[emotion]) + own
    return np.asarray(style)


def _check_emotions(emotions: Sequence[str]) -> list[str]:
    """Return the emotions as a list, or say which one is unknown or there twice."""
    names = [str(emotion) for emotion in emotions]
    known = ", ".join(map(repr, _CUES))
    if not names:
        raise ValueError(f"emotions is empty: give at least one of {known}.")
    for name in names:
        if name not in _CUES:
            raise ValueError(f"emotions holds {name!r}, which is unknown: choose from {known}.")
        if names.count(name) > 1:
            raise ValueError(f"emotions holds {name!r} more than once: name each emotion once.")
    return names


@validate_params(
    {
        "n_speakers": [Interval(Integral, 1, None, closed="left")],
        "n_sentences": [Interval(Integral, 1, None, closed="left")],
        "emotions": ["array-like"],
        "repetitions": [Interval(Integral, 1, None, closed="left")],
        "sample_rate": [Interval(Integral, 8000, 48000, closed="both")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_emotional_speech(
    *,
    n_speakers: int = 12,
    n_sentences: int = 4,
    emotions: Sequence[str] = ("anger", "disgust", "fear", "happiness", "neutral", "sadness"),
    repetitions: int = 2,
    sample_rate: int = 16000,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Make a corpus of synthetic emotional speech.

    **This is no human speech.** Nobody felt or acted anything: a formant synthesiser utters
    meaningless syllables, and differs by emotion in what the literature says about acted speech.
    The corpus is for demonstrations, examples and tests, where a real one would have to be
    downloaded and licensed. **A score reached on it says nothing about real speech**, neither how
    good a method is nor which of two is better.

    Every speaker says every sentence in every emotion, `repetitions` times. As in real corpora,
    speakers differ in voice, room and microphone, and each has a way of their own to express an
    emotion. So speakers that a model has not heard are harder than those it has, and splitting the
    clips at random flatters it.

    Parameters
    ----------
    n_speakers : int, default=12
        Number of speakers, at least 1: by turns a woman and a man.
    n_sentences : int, default=4
        Number of sentences, at least 1. They are the same in every corpus, whatever its
        `random_state`.
    emotions : sequence of str, default=("anger", "disgust", "fear", "happiness", "neutral", \
            "sadness")
        Which emotions; there are also "boredom", "calm", "contempt" and "surprise".
    repetitions : int, default=2
        How often a speaker says each sentence in each emotion, at least 1.
    sample_rate : int, default=16000
        Samples a second, from 8000 to 48000. The voices, what they say and how are the same at all
        rates; their spectrum reaches to half of it.
    random_state : int, RandomState instance or None, default=None
        Determines the speakers and everything about the clips but the sentences. Pass an int for
        the same corpus in every call. With the same int, a larger corpus contains the smaller one:
        no clip depends on how many others are asked for.

    Returns
    -------
    corpus : :class:`~sklearn.utils.Bunch`
        With these attributes:

        data : ndarray of shape (n_clips, n_samples), float32
            Waveforms in [-1, 1]. NaN after the end of a clip: no sound there. A clip lasts about
            1.3 to 3.8 seconds.
        target : ndarray of shape (n_clips,), str
            The emotions.
        groups : ndarray of shape (n_clips,), str
            The speakers, "synthetic_01" and so on.
        frame : DataFrame of shape (n_clips, 7)
            The columns ``emotion``; ``speaker``; ``sentence`` ("synthetic_s01" and so on);
            ``corpus`` ("synthetic"); ``sex`` ("female", "male"); ``take``, from 1;
            ``duration``, in seconds.
        target_names : list of str
            The emotions in alphabetical order.
        sample_rate : int
            As given.
        DESCR : str
            Description of the corpus.

    Raises
    ------
    ValueError
        If `emotions` is empty, or holds an unknown emotion or the same one twice.

    See Also
    --------
    load_csv : Read a corpus of real recordings.

    Notes
    -----
    Pulses and noise pass formants in cascade [1]_, whose poles change every 12 ms. The source has
    the spectrum of a flow model [2]_ with adjustable tilt [3]_, jitter, shimmer and aspiration;
    vowels are those of [4]_, scaled to the length of the vocal tract. The ten emotions differ in
    the mean, span and final movement of f0, tremor, rate, pauses, intensity, tilt, breathiness,
    irregularity, attack, clarity of articulation, opening and spreading of the mouth; the
    directions are those of [5]_, [6]_, [7]_, [8]_ and [9]_. The sizes, and how much speakers and
    clips scatter around them, are chosen so that the six default emotions are about as hard to
    tell apart as those of acted corpora, and so that neither level nor duration nor mean f0 gives
    them away alone.

    Loud clips whose peaks would exceed 0.99 are turned down. With ``random_state=None`` one number
    is drawn from NumPy's global random state, as everywhere in scikit-learn; with an int it stays
    as it was.

    References
    ----------
    .. [1] D. H. Klatt (1980). Software for a cascade/parallel formant synthesizer. Journal of the
       Acoustical Society of America 67(3), 971-995.
    .. [2] B. Doval, C. d'Alessandro and N. Henrich (2006). The spectrum of glottal flow models.
       Acta Acustica united with Acustica 92(6), 1026-1046.
    .. [3] D. H. Klatt and L. C. Klatt (1990). Analysis, synthesis, and perception of voice quality
       variations among female and male talkers. Journal of the Acoustical Society of America
       87(2), 820-857.
    .. [4] G. E. Peterson and H. L. Barney (1952). Control methods used in a study of the vowels.
       Journal of the Acoustical Society of America 24(2), 175-184.
    .. [5] K. R. Scherer (2003). Vocal communication of emotion: A review of research paradigms.
       Speech Communication 40(1-2), 227-256.
    .. [6] P. N. Juslin and P. Laukka (2003). Communication of emotions in vocal expression and
       music performance: Different channels, same code? Psychological Bulletin 129(5), 770-814.
    .. [7] R. Banse and K. R. Scherer (1996). Acoustic profiles in vocal emotion expression.
       Journal of Personality and Social Psychology 70(3), 614-636.
    .. [8] I. R. Murray and J. L. Arnott (1993). Toward the simulation of emotion in synthetic
       speech: A review of the literature on human vocal emotion. Journal of the Acoustical
       Society of America 93(2), 1097-1108.
    .. [9] F. Burkhardt and W. F. Sendlmeier (2000). Verification of acoustical correlates of
       emotional speech using formant-synthesis. ISCA Workshop on Speech and Emotion, 151-156.

    Examples
    --------
    >>> from sersk.datasets import make_emotional_speech
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> corpus.data.shape[0], corpus.data.dtype
    (24, dtype('float32'))
    >>> corpus.target_names
    ['anger', 'disgust', 'fear', 'happiness', 'neutral', 'sadness']
    >>> corpus.frame.groupby("speaker")["sex"].first().to_dict()
    {'synthetic_01': 'female', 'synthetic_02': 'male'}
    """
    names = _check_emotions(emotions)
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    sentences = [generate_sentence(index) for index in range(n_sentences)]
    clips, rows = [], []
    for i in range(n_speakers):
        speaker = _generate_speaker(seed, i)
        for emotion in names:
            style = _generate_style(seed, i, speaker, emotion)
            for j, repetition in product(range(n_sentences), range(repetitions)):
                rng = seeded_generator(seed, 2, i, list(_CUES).index(emotion), j, repetition)
                cues = Cues(*(style + _CLIP_SD * rng.standard_normal(len(_CLIP_SD))))
                clips.append(synthesise(sentences[j], speaker, cues, sample_rate, rng))
                rows.append(
                    {
                        "emotion": emotion,
                        "speaker": f"synthetic_{i + 1:02d}",
                        "sentence": f"synthetic_s{j + 1:02d}",
                        "corpus": "synthetic",
                        "sex": "male" if i % 2 else "female",
                        "take": repetition + 1,
                        "duration": len(clips[-1]) / sample_rate,
                    }
                )
    data = np.full((len(clips), max(map(len, clips))), np.nan, dtype=np.float32)
    for row, clip in zip(data, clips, strict=True):
        row[: len(clip)] = clip
    return make_corpus_bunch(
        pd.DataFrame(rows),
        data=data,
        descr=load_description("synthetic"),
        sample_rate=int(sample_rate),
    )
