"""The order of the gallery: from one clip to whole evaluations."""

READING_ORDER = (
    "plot_emotions_in_one_voice.py",
    "plot_what_features_hear.py",
    "plot_cleaning.py",
    "plot_classical_pipeline.py",
    "plot_custom_transformer.py",
    "plot_strangers.py",
    "plot_leak.py",
    "plot_augmentation.py",
    "plot_oversampling.py",
    "plot_train_a_net.py",
    "plot_what_a_net_hears.py",
    "plot_tune_a_pipeline.py",
    "plot_work_once.py",
    "plot_noise_robustness.py",
    "plot_cross_corpus.py",
    "plot_predict_a_recording.py",
)


def place(name: str) -> tuple[int, str]:
    """Tell where an example stands; those that are not listed come last, by name."""
    listed = name in READING_ORDER
    return (READING_ORDER.index(name) if listed else len(READING_ORDER)), name
