"""Which types a model may be made of, by the names under which files know them.

Exact names, each with the kind of node that may bear it: a class that may stand as an object may
not be called with arguments of the file's choosing.
"""

from __future__ import annotations

import functools
import importlib

# Public names, so that a private module may be renamed without breaking files.
_SERSK = {
    "augmentation": (
        "AddNoise", "BackgroundNoise", "Compose", "Gain", "OneOf", "PitchShift", "Reverb", "Seeded",
        "SpecAugment", "TimeShift", "TimeStretch", "WaveformAugmenter",
    ),
    "feature_extraction": (
        "Chroma", "ClipNormalizer", "FillPadding", "FrameFeatures", "Functionals",
        "LogMelSpectrogram", "MFCC", "MelSpectrogram", "OpenSMILE", "PerClip", "Pitch", "RMSEnergy",
        "RecordingStatistics", "SpeakerNormalizer", "SpectralShape", "TimeDomainStats", "Tonnetz",
        "VoiceQuality", "ZeroCrossingRate",
    ),
    "model_selection": ("ProtocolSplit", "SpeakerPriorClassifier", "ValidationHoldout"),
    "neural_network": (
        "CNNClassifier", "CRNNClassifier", "FineTunedClassifier", "RNNClassifier",
        "TransformerClassifier",
    ),
    "preprocessing": (
        "AudioReader", "DropUnreadable", "LevelNormalizer", "NoiseReducer", "PadOrTrim",
        "PreEmphasis", "SilenceTrimmer",
    ),
}  # fmt: skip

_IMBLEARN = {
    "combine": ("SMOTEENN", "SMOTETomek"),
    "over_sampling": (
        "ADASYN", "BorderlineSMOTE", "KMeansSMOTE", "RandomOverSampler", "SMOTE", "SMOTEN",
        "SMOTENC", "SVMSMOTE",
    ),
    "pipeline": ("Pipeline",),
    "under_sampling": (
        "AllKNN", "ClusterCentroids", "CondensedNearestNeighbour", "EditedNearestNeighbours",
        "InstanceHardnessThreshold", "NearMiss", "NeighbourhoodCleaningRule", "OneSidedSelection",
        "RandomUnderSampler", "RepeatedEditedNearestNeighbours", "TomekLinks",
    ),
}  # fmt: skip

# What scikit-learn's estimators are made of besides each other.
_SKLEARN_PARTS = (
    "sklearn._loss.link.HalfLogitLink",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.GroupKFold",
    "sklearn.model_selection._split.GroupShuffleSplit",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.LeaveOneGroupOut",
    "sklearn.model_selection._split.ShuffleSplit",
    "sklearn.model_selection._split.StratifiedGroupKFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.model_selection._split.StratifiedShuffleSplit",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)
# Estimators of scikit-learn that open files which their input names.
_SKLEARN_READERS = "sklearn.feature_extraction."

_FUNCTIONS = (
    "abs", "absolute", "amax", "amin", "arcsinh", "arctan", "cbrt", "exp", "expm1", "fabs", "fmax",
    "fmin", "log", "log10", "log1p", "log2", "max", "maximum", "mean", "median", "min", "minimum",
    "nan_to_num", "nanmax", "nanmean", "nanmedian", "nanmin", "nanstd", "nansum", "nanvar",
    "negative", "ptp", "reciprocal", "sign", "sqrt", "square", "std", "sum", "tanh", "var",
)  # fmt: skip
_SCALARS = (
    "bool", "bool_", "complex128", "complex64", "float16", "float32", "float64", "int16", "int32",
    "int64", "int8", "intc", "longlong", "str_", "uint16", "uint32", "uint64", "uint8", "ulonglong",
)  # fmt: skip

_SCALAR_NAMES = frozenset(f"numpy.{name}" for name in _SCALARS)

_PLAIN: dict[str, frozenset[str]] = {
    "DTypeNode": frozenset({"numpy.dtype"}),
    "DictNode": frozenset(
        {"builtins.dict", "collections.OrderedDict", "sklearn.utils._bunch.Bunch"}
    ),
    "FunctionNode": frozenset(f"numpy.{name}" for name in _FUNCTIONS),
    "JsonNode": frozenset({"builtins.str"}),
    "ListNode": frozenset({"builtins.list"}),
    "LossNode": frozenset(
        {
            "sklearn._loss._loss.CyHalfBinomialLoss",
            "sklearn._loss._loss.CyHalfMultinomialLoss",
            "sklearn.linear_model._sgd_fast.Hinge",
            "sklearn.linear_model._sgd_fast.ModifiedHuber",
            "sklearn.linear_model._sgd_fast.SquaredHinge",
        }
    ),
    "NdArrayNode": _SCALAR_NAMES | {"numpy.ndarray"},
    "RandomGeneratorNode": frozenset({"numpy.random._generator.Generator"}),
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
    "SetNode": frozenset({"builtins.set"}),
    "SliceNode": frozenset({"builtins.slice"}),
    "TreeNode": frozenset({"sklearn.tree._tree.Tree"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "TypeNode": _SCALAR_NAMES | {"builtins.bool", "builtins.float", "builtins.int", "builtins.str"},
}


@functools.cache
def trusted_names(loader: str) -> frozenset[str]:
    """Give the names that nodes of a kind may bear.

    Parameters
    ----------
    loader : str
        What skops calls the kind.

    Returns
    -------
    names : frozenset of str
        Module and name; empty for kinds that no model needs.
    """
    if loader != "ObjectNode":
        return _PLAIN.get(loader, frozenset())
    return frozenset(
        [
            *(f"sersk.{room}.{name}" for room, names in _SERSK.items() for name in names),
            *(f"imblearn.{room}.{name}" for room, names in _IMBLEARN.items() for name in names),
            *_SKLEARN_PARTS,
            *_sklearn_estimators(),
        ]
    )


def _sklearn_estimators() -> list[str]:
    from sklearn.utils import all_estimators

    names = [f"{each.__module__}.{each.__name__}" for _, each in all_estimators()]
    return [name for name in names if not name.startswith(_SKLEARN_READERS)]


def public_module(module: str, name: str) -> str:
    """Give the module under which a type is public, or the one that it was found in.

    Parameters
    ----------
    module : str
        Where it is defined, such as ``"sersk.preprocessing._audio_reader"``.
    name : str
        Its name.

    Returns
    -------
    module : str
        Such as ``"sersk.preprocessing"``.
    """
    package, *rooms = module.split(".")
    if package == "numpy":
        return "numpy" if name in _FUNCTIONS or name in _SCALARS else module
    known = {"sersk": _SERSK, "imblearn": _IMBLEARN}.get(package, {})
    if rooms and name in known.get(rooms[0], ()):
        public = f"{package}.{rooms[0]}"
        # A class of the same name that is not the public one stays what it is.
        if getattr(importlib.import_module(public), name).__module__ == module:
            return public
    return module
