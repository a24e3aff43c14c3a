"""Recipes by name, for the command line and for loops over systems, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from imblearn.pipeline import Pipeline
from sklearn.base import BaseEstimator

from .._utils._names import did_you_mean
from .._utils._sample_rates import check_sample_rates
from ._attention_nets import (
    cnn_gru_attention,
    cnn_lstm_attention,
    cnn_lstm_attention_augmented,
)
from ._classical import (
    gradient_boosting_functionals,
    svm_functionals,
    svm_functionals_by_speaker,
)
from ._cnn_bilstm import cnn_bilstm_182
from ._ensembles import crnn_svm_ensemble, crnn_svm_ensemble_by_speaker
from ._four_corpora import (
    cnn_mfcc_chroma,
    cnn_mfcc_four_corpora,
    improved_lstm,
    lstm_mfcc_chroma,
)
from ._plain_cnns import conv1d_time_domain, conv2d_mel

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class PublishedSplit:
    """How the authors of a system split their clips, as far as they say.

    One split by clip, stratified by emotion: speakers stand on both sides of it.

    Parameters
    ----------
    test_size : float
        Share of the clips (and copies) that is tested.

    validation_size : float, default=0.0
        Share of the others that early stopping looks at; 0 for none.

    copies : str, default=None
        Preset of :func:`sersk.augmentation.make_transforms` whose copies are made of all clips
        before the split, in place of those that the recipe makes of training clips
        (``transforms=[]``). None leaves the recipe as it is.

    keep_original : bool, default=True
        Whether the clips themselves stay beside their copies, so that copies of test clips are
        trained on. False changes each clip once, as a preprocessing step.

    Examples
    --------
    >>> from sersk.recipes import recipe_info
    >>> recipe_info("cnn_bilstm_182").split.copies
    'noise_stretch_pitch'
    """

    test_size: float
    validation_size: float = 0.0
    copies: str | None = None
    keep_original: bool = True


@dataclass(frozen=True, kw_only=True)
class RecipeInfo:
    """What is known of a recipe besides its pipeline.

    Parameters
    ----------
    function : callable
        The recipe.

    source : str, default=""
        Whose system it is, in words; empty for our own.

    corpora : tuple of str, default=()
        The corpora of the source, as the loaders name them; several are one corpus together. Empty
        for our own.

    loading : mapping of str to object, default={}
        Options of the loader, where the source takes more or less than it loads by default.

    classes : tuple of str, default=()
        Emotions that the source tells apart; empty where any will do.

    emotions : mapping of str to str or None, default={}
        What becomes of emotions that are none of `classes`: another name, or None to leave their
        clips out.

    published : mapping of str to float, default={}
        What the source reports on its test part, by metric, in [0, 1].

    split : PublishedSplit, default=None
        How it splits; None for our own.

    validation_size : float, default=0.0
        Share of the training part that is held out for early stopping, where the recipe stops
        early; 0 for recipes that do not.

    by_speaker : bool, default=False
        Whether it needs several clips of each speaker, and to be told whose they are: another
        condition than a single clip from a stranger.

    Examples
    --------
    >>> from sersk.recipes import recipe_info
    >>> info = recipe_info("conv2d_mel")
    >>> info.corpora, info.published["accuracy"]
    (('cremad',), 0.6386)
    """

    function: Callable[..., Pipeline]
    source: str = ""
    corpora: tuple[str, ...] = ()
    loading: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    classes: tuple[str, ...] = ()
    emotions: Mapping[str, str | None] = field(default_factory=lambda: _NOTHING)
    published: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    split: PublishedSplit | None = None
    validation_size: float = 0.0
    by_speaker: bool = False

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return self.function.__name__


_SIX = ("anger", "disgust", "fear", "happiness", "neutral", "sadness")
_SEVEN = (*_SIX, "surprise")
_EIGHT = (*_SEVEN, "calm")
_FOUR = ("ravdess", "cremad", "tess", "savee")

_FIRST = "log-mel attention nets on CREMA-D"
_SECOND = "plain convolutional nets on CREMA-D"
_THIRD = "MFCC convolutional net on four corpora"
_FOURTH = "182-feature convolutions with LSTM on RAVDESS"
_FIFTH = "MFCC and chroma nets on four corpora"

_NOISE_ON_ALL = PublishedSplit(
    test_size=0.1, validation_size=1 / 9, copies="noise", keep_original=False
)
_PLAIN = PublishedSplit(test_size=0.2)

_INFOS = (
    RecipeInfo(function=svm_functionals),
    RecipeInfo(function=gradient_boosting_functionals),
    RecipeInfo(function=svm_functionals_by_speaker, by_speaker=True),
    RecipeInfo(function=crnn_svm_ensemble),
    RecipeInfo(function=crnn_svm_ensemble_by_speaker, by_speaker=True),
    RecipeInfo(
        function=cnn_gru_attention,
        source=_FIRST,
        corpora=("cremad",),
        classes=_SIX,
        published={"accuracy": 0.5588},
        split=_NOISE_ON_ALL,
        validation_size=0.1,
    ),
    RecipeInfo(
        function=cnn_lstm_attention,
        source=_FIRST,
        corpora=("cremad",),
        classes=_SIX,
        published={"accuracy": 0.552},
        split=_NOISE_ON_ALL,
        validation_size=0.1,
    ),
    RecipeInfo(
        function=cnn_lstm_attention_augmented,
        source=_FIRST,
        corpora=("cremad",),
        classes=_SIX,
        published={"accuracy": 0.5014},
        split=PublishedSplit(test_size=0.1, copies="noise", keep_original=False),
    ),
    RecipeInfo(
        function=conv1d_time_domain,
        source=_SECOND,
        corpora=("cremad",),
        classes=_SIX,
        published={"accuracy": 0.5087, "f1_macro": 0.4962},
        split=_PLAIN,
    ),
    RecipeInfo(
        function=conv2d_mel,
        source=_SECOND,
        corpora=("cremad",),
        classes=_SIX,
        published={"accuracy": 0.6386, "f1_macro": 0.6342},
        split=_PLAIN,
    ),
    RecipeInfo(
        function=cnn_mfcc_four_corpora,
        source=_THIRD,
        corpora=_FOUR,
        classes=_SEVEN,
        emotions={"calm": "neutral"},
        published={"accuracy": 0.9439},
        split=PublishedSplit(
            test_size=0.2, validation_size=0.1, copies="noise_pitch_shift_stretch"
        ),
        validation_size=0.1,
    ),
    RecipeInfo(
        function=cnn_bilstm_182,
        source=_FOURTH,
        corpora=("ravdess",),
        loading={"channel": "all"},
        classes=_EIGHT,
        published={"accuracy": 0.89, "f1_macro": 0.90},
        split=PublishedSplit(test_size=0.2, validation_size=0.1, copies="noise_stretch_pitch"),
        validation_size=0.1,
    ),
    RecipeInfo(
        function=cnn_mfcc_chroma,
        source=_FIFTH,
        corpora=_FOUR,
        classes=_SEVEN,
        emotions={"calm": "neutral"},
        published={"accuracy": 0.654},
        split=_PLAIN,
    ),
    RecipeInfo(
        function=lstm_mfcc_chroma,
        source=_FIFTH,
        corpora=_FOUR,
        classes=_SEVEN,
        emotions={"calm": "neutral"},
        published={"accuracy": 0.6663},
        split=_PLAIN,
    ),
    RecipeInfo(
        function=improved_lstm,
        source=_FIFTH,
        corpora=_FOUR,
        classes=_SEVEN,
        emotions={"calm": "neutral"},
        published={"accuracy": 0.6888},
        split=PublishedSplit(test_size=0.2, validation_size=0.1),
        validation_size=0.1,
    ),
)

_RECIPES: dict[str, RecipeInfo] = {info.name: info for info in _INFOS}


def list_recipes() -> list[str]:
    """Name the recipes.

    Returns
    -------
    names : list of str
        Names that `make_recipe` knows; each is also a function of this module.

    Examples
    --------
    >>> from sersk.recipes import list_recipes
    >>> "svm_functionals" in list_recipes()
    True
    """
    return list(_RECIPES)


def recipe_info(name: str) -> RecipeInfo:
    """Tell what is known of a recipe besides its pipeline.

    Parameters
    ----------
    name : str
        One of `list_recipes`.

    Returns
    -------
    info : RecipeInfo
        Its source, corpora, published figures and split.

    Raises
    ------
    ValueError
        If there is no such recipe; near names are suggested.

    Examples
    --------
    >>> from sersk.recipes import recipe_info
    >>> recipe_info("svm_functionals").by_speaker
    False
    """
    if name not in _RECIPES:
        raise ValueError(
            f"There is no recipe {name!r}.{did_you_mean(name, _RECIPES)} Known: "
            f"{', '.join(_RECIPES)}."
        )
    return _RECIPES[name]


def make_recipe(name: str, **parameters: Any) -> Pipeline:
    """Make the pipeline of a recipe from its name.

    Parameters
    ----------
    name : str
        One of `list_recipes`.

    **parameters : object
        Handed to the recipe.

    Returns
    -------
    pipeline : imblearn.pipeline.Pipeline
        Unfitted.

    Raises
    ------
    ValueError
        If there is no such recipe; near names are suggested. If the parameters make steps that name
        different sample rates, or that refuse a value.

    Examples
    --------
    >>> from sersk.recipes import make_recipe
    >>> make_recipe("svm_functionals", C=1.0)["svm"]
    SVC()
    """
    pipeline = recipe_info(name).function(**parameters)
    check_sample_rates(pipeline)
    for step in pipeline.get_params().values():
        # Here, and not after hours of other work, in fit.
        if isinstance(step, BaseEstimator) and hasattr(step, "_parameter_constraints"):
            step._validate_params()
    return pipeline
