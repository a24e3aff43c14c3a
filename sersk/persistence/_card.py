"""What a model was trained on, and what it is for: read before a model is used."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from .._utils._sample_rates import sample_rates
from ..datasets._registry import CORPORA
from ..recipes._prepare import SEVERAL_CLIPS, SINGLE_CLIP
from ._profile import UNITS, RecordingProfile, profile_from_plain, profile_to_plain

_SYNTHETIC = "synthetic"
# How the short licences of known corpora say that nobody may earn with them.
_FORBIDS = ("not for commercial use", "research only")
# What stands first among the scores, and what people call it.
_METRICS = {"balanced_accuracy": "UAR", "accuracy": "accuracy", "f1_macro": "macro F1"}
_NUMBERS = ("score", "low", "high")

_INTENDED = (
    "For research, and for tools in which a person decides. It tells how speech sounds, in the "
    "way of the recordings that it was trained on, not what somebody feels. Not for decisions "
    "about people: not clinical, not forensic, not in hiring or surveillance."
)


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a model was trained on, how well it did, and under which conditions.

    :func:`sersk.save` makes one, :func:`sersk.read_card` reads it.

    Parameters
    ----------
    estimator : str
        Class of the model, and the steps of a pipeline.

    labels : list of str
        What it tells apart; empty for what is no classifier.

    sample_rate : int, default=None
        At which it reads recordings, in Hz; None where no step names one.

    condition : str, default=""
        What it needs to have at hand: a single clip, or several clips of a speaker.

    recipe : str, default=""
        Which recipe made it, and with which options; empty where that was not told.

    corpora : list of dict, default=[]
        What it was trained on: ``name``, ``title``, ``licence``, ``url``, ``non_commercial`` (None
        where that is not known), ``n_clips`` and ``n_speakers`` (None where that is not known).

    n_clips : int, default=None
        Number of training clips; None where that was not told.

    n_speakers : int, default=None
        Number of their speakers; None where that is not known.

    clips_by_emotion : dict of str to int, default={}
        Number of training clips of each emotion.

    protocol_scores : dict of str to dict, default={}
        By protocol and metric: ``score``, ``low`` and ``high``, in [0, 1]; an end of an interval is
        None where there is none. Scores of the same system in an evaluation: the model itself is
        trained on all clips, and has none left to be tested on.

    recordings : dict, default={}
        How the training recordings were made: what a
        :class:`~sersk.persistence.RecordingProfile` is made of. Empty where they were not measured.

    versions : dict of str to str, default={}
        Of the packages that computed.

    See Also
    --------
    sersk.read_card : Read the card of a file.

    Examples
    --------
    >>> from sersk.persistence import ModelCard
    >>> card = ModelCard(estimator="SVC", labels=["anger", "neutral"], sample_rate=16000)
    >>> print(card.to_markdown().splitlines()[0])
    # Model card: SVC
    """

    estimator: str
    labels: list[Any]
    sample_rate: int | None = None
    condition: str = ""
    recipe: str = ""
    corpora: list[dict[str, Any]] = field(default_factory=list)
    n_clips: int | None = None
    n_speakers: int | None = None
    clips_by_emotion: dict[str, int] = field(default_factory=dict)
    protocol_scores: dict[str, dict[str, dict[str, float | None]]] = field(default_factory=dict)
    recordings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def profile(self) -> RecordingProfile | None:
        """How the training recordings were made; None where they were not measured."""
        return profile_from_plain(self.recordings)

    @property
    def non_commercial(self) -> list[str]:
        """Corpora whose licence forbids commercial use."""
        return [corpus["title"] for corpus in self.corpora if corpus["non_commercial"]]

    def to_markdown(self) -> str:
        """Write the card as Markdown.

        Returns
        -------
        text : str
            A title, and sections on use, training, scores and versions.
        """
        sections = [
            self.head(),
            "## Intended use\n\n" + _INTENDED,
            "## Trained on\n\n" + self._describe_training(),
            "## Training recordings\n\n" + self._describe_recordings(),
            "## Scores\n\n" + self._describe_scores(),
        ]
        versions = "\n".join(f"- {name} {version}" for name, version in self.versions.items())
        sections.append("## Versions\n\n" + (versions or "Not told."))
        return "\n\n".join(sections) + "\n"

    def head(self) -> str:
        """Write what is to be known first.

        Returns
        -------
        text : str
            Title, licence where it forbids something, and facts, as Markdown.
        """
        parts = [f"# Model card: {self.recipe or self.estimator}"]
        if self.non_commercial:
            parts.append(
                "**NOT FOR COMMERCIAL USE: trained on "
                f"{', '.join(self.non_commercial)}, whose licence forbids it.**"
            )
        if any(corpus["name"] == _SYNTHETIC for corpus in self.corpora):
            parts.append("**Trained on synthetic speech: it says nothing of real voices.**")
        facts = [f"- Model: {self.estimator}"]
        if self.labels:
            facts.append(f"- Labels: {', '.join(map(str, self.labels))}")
        if self.sample_rate:
            facts.append(f"- Sample rate: {self.sample_rate} Hz")
        if self.condition:
            facts.append(f"- Needs: {self.condition}")
        return "\n\n".join([*parts, "\n".join(facts)])

    def _describe_training(self) -> str:
        if self.n_clips is None:
            return "Not told: the corpus was not given when the model was saved."
        lines = [
            f"{self.n_clips} clips, {_or_unknown(self.n_speakers)} speakers.",
            "",
            "| corpus | clips | speakers | licence |",
            "|---|---|---|---|",
        ]
        for corpus in self.corpora:
            name = f"[{corpus['title']}]({corpus['url']})" if corpus["url"] else corpus["title"]
            lines.append(
                f"| {name} | {corpus['n_clips']} | {_or_unknown(corpus['n_speakers'])} | "
                f"{corpus['licence']} |"
            )
        lines += ["", "| emotion | clips |", "|---|---|"]
        lines += [f"| {name} | {number} |" for name, number in self.clips_by_emotion.items()]
        return "\n".join(lines)

    def _describe_recordings(self) -> str:
        profile = self.profile
        if profile is None:
            return "Not measured: whether others are like them is not known."
        lines = ["| statistic | 1st percentile | 99th percentile |", "|---|---|---|"]
        for name, (low, high) in profile.ranges.items():
            unit = f" ({UNITS[name]})" if UNITS[name] else ""
            lines.append(f"| {name.replace('_', ' ')}{unit} | {low:.4g} | {high:.4g} |")
        return "\n".join(
            [*lines, "", f"Of {profile.n_clips} clips, read at {profile.sample_rate} Hz."]
        )

    def _describe_scores(self) -> str:
        if not self.protocol_scores:
            return (
                "None were given. Score the same system by `sersk evaluate`: a model that was "
                "trained on all clips has none left to be tested on."
            )
        lines = ["| protocol | metric | score | 95 % interval |", "|---|---|---|---|"]
        for protocol, scores in self.protocol_scores.items():
            for metric, numbers in scores.items():
                low, high = numbers["low"], numbers["high"]
                interval = "-" if low is None or high is None else f"{low:.3f} to {high:.3f}"
                name = _METRICS.get(metric, metric)
                lines.append(f"| {protocol} | {name} | {numbers['score']:.3f} | {interval} |")
        lines += ["", "Of the same system on clips held out, not of this very model."]
        return "\n".join(lines)


def _or_unknown(number: int | None) -> str:
    return "an unknown number of" if number is None else str(number)


def make_card(
    model: Any,
    *,
    corpus: Bunch | None,
    protocol_scores: Any,
    recipe: str | None,
    profile: RecordingProfile | None,
    by_speaker: bool,
    versions: Mapping[str, str],
) -> ModelCard:
    """Make the card of a fitted model.

    Parameters
    ----------
    model : estimator
        The model.
    corpus : Bunch or None
        What it was trained on.
    protocol_scores : object
        See `plain_scores`.
    recipe : str or None
        What made it.
    profile : RecordingProfile or None
        How the training recordings were made.
    by_speaker : bool
        Whether it has to be told who speaks.
    versions : mapping of str to str
        Of packages.

    Returns
    -------
    card : ModelCard
        Of plain values alone.
    """
    labels = np.asarray(getattr(model, "classes_", [])).tolist()
    rates = [int(rate) for rate in sample_rates(model).values()]
    facts: dict[str, Any] = {}
    if corpus is not None:
        frame = getattr(corpus, "frame", None)
        if not isinstance(frame, pd.DataFrame) or "emotion" not in frame.columns:
            raise ValueError(
                "corpus must be a Bunch whose frame has the column 'emotion', as the loaders of "
                "sersk.datasets return it. Leave it out where there is none."
            )
        facts = {
            "corpora": _describe_corpora(frame),
            "n_clips": len(frame),
            "n_speakers": _count_speakers(frame),
            "clips_by_emotion": {
                str(name): int(number)
                for name, number in frame["emotion"].value_counts().sort_index().items()
            },
        }
    return ModelCard(
        estimator=_describe_estimator(model),
        labels=labels,
        sample_rate=rates[0] if rates else None,
        condition=(SEVERAL_CLIPS if by_speaker else SINGLE_CLIP) if labels else "",
        recipe=recipe or "",
        protocol_scores=plain_scores(protocol_scores),
        recordings=profile_to_plain(profile),
        versions=dict(versions),
        **facts,
    )


def _describe_estimator(model: Any) -> str:
    names = [type(model).__name__]
    # A pipeline stands inside what holds speakers out, and that inside a calibration.
    while not hasattr(model, "steps") and hasattr(model, "estimator"):
        model = model.estimator
        names.append(type(model).__name__)
    if not hasattr(model, "steps"):
        return names[0]
    outer = names[:-1] or names
    return f"{' of '.join(outer)}: {' -> '.join(step for step, _ in model.steps)}"


def _count_speakers(frame: Any) -> int | None:
    return int(frame["speaker"].nunique()) if "speaker" in frame.columns else None


def _describe_corpora(frame: Any) -> list[dict[str, Any]]:
    if "corpus" not in frame.columns:
        return [_describe_corpus("unknown", frame)]
    return [_describe_corpus(str(name), part) for name, part in frame.groupby("corpus", sort=True)]


def _describe_corpus(name: str, frame: Any) -> dict[str, Any]:
    known = CORPORA.get(name)
    licence = "not known to sersk: see where the recordings come from"
    if name == _SYNTHETIC:
        licence = "nothing is recorded"
    if known is not None:
        licence = known.licence
    forbids = any(words in licence for words in _FORBIDS)
    return {
        "name": name,
        "title": name if known is None else known.title,
        "licence": licence,
        "url": "" if known is None else known.url,
        "non_commercial": None if known is None and name != _SYNTHETIC else forbids,
        "n_clips": len(frame),
        "n_speakers": _count_speakers(frame),
    }


def plain_scores(given: Any) -> dict[str, dict[str, dict[str, float | None]]]:
    """Read scores in any of the forms in which sersk hands them out.

    Parameters
    ----------
    given : None, Bunch, sequence of Bunch or mapping
        What :func:`~sersk.model_selection.evaluate_protocol` returned, one or several; what
        ``sersk evaluate`` wrote to ``results.json``; or numbers by protocol and metric.

    Returns
    -------
    scores : dict of str to dict
        By protocol, metric, and ``score``, ``low``, ``high``.

    Raises
    ------
    ValueError
        If it is nothing of the kind, or a score is not in [0, 1].
    """
    if given is None:
        return {}
    if isinstance(given, Mapping) and "protocols" in given:
        given = given["protocols"]
    if isinstance(given, Mapping) and {"protocol", "scores"} <= given.keys():
        given = [given]
    if isinstance(given, Mapping):
        by_protocol = dict(given)
    elif isinstance(given, Iterable) and not isinstance(given, str):
        by_protocol = {
            str(each["protocol"]): each
            for each in given
            if isinstance(each, Mapping) and {"protocol", "scores"} <= each.keys()
        }
    else:
        by_protocol = {}
    if not by_protocol:
        raise ValueError(
            f"protocol_scores is {type(given).__name__}: give what evaluate_protocol returned, a "
            "list of that, what sersk evaluate wrote to results.json, or numbers such as "
            "{'speaker': {'balanced_accuracy': 0.6}}."
        )
    return {str(name): _plain_scores_of(name, each) for name, each in by_protocol.items()}


def _plain_scores_of(protocol: Any, given: Any) -> dict[str, dict[str, float | None]]:
    scores = given.get("scores", given) if isinstance(given, Mapping) else given
    if hasattr(scores, "to_dict"):  # a DataFrame, a row a metric
        scores = scores.to_dict(orient="index")
    if not isinstance(scores, Mapping):
        raise ValueError(
            f"protocol_scores[{protocol!r}] is {scores!r}: scores by metric are needed."
        )
    plain = {}
    for metric, value in scores.items():
        numbers = value if isinstance(value, Mapping) else {"score": value}
        row = {name: _plain_number(numbers.get(name)) for name in _NUMBERS}
        score = row["score"]
        if score is None or not 0 <= score <= 1:
            raise ValueError(
                f"protocol_scores[{protocol!r}][{metric!r}] is {numbers.get('score')!r}: a number "
                "from 0 to 1 is needed."
            )
        plain[str(metric)] = row
    return plain


def _plain_number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def card_to_plain(card: ModelCard) -> dict[str, Any]:
    """Give a card as plain values.

    Parameters
    ----------
    card : ModelCard
        The card.

    Returns
    -------
    plain : dict
        What JSON can hold.
    """
    return asdict(card)


def card_from_plain(plain: Any) -> ModelCard:
    """Make a card of what a file holds.

    Parameters
    ----------
    plain : object
        What stands in the file.

    Returns
    -------
    card : ModelCard
        The card; what a newer sersk added to it is left out.

    Raises
    ------
    ValueError
        If it is no card.
    """
    if not isinstance(plain, Mapping):
        raise ValueError(f"its model card is {type(plain).__name__}")
    card = ModelCard(
        **{each.name: plain[each.name] for each in fields(ModelCard) if each.name in plain}
    )
    card.to_markdown()  # whatever is wrong with its parts shows here
    return card
