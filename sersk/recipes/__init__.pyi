from ._attention_nets import cnn_gru_attention, cnn_lstm_attention, cnn_lstm_attention_augmented
from ._classical import (
    gradient_boosting_functionals,
    svm_functionals,
    svm_functionals_by_speaker,
)
from ._cnn_bilstm import cnn_bilstm_182
from ._ensembles import crnn_svm_ensemble, crnn_svm_ensemble_by_speaker
from ._four_corpora import cnn_mfcc_chroma, cnn_mfcc_four_corpora, improved_lstm, lstm_mfcc_chroma
from ._plain_cnns import conv1d_time_domain, conv2d_mel
from ._prepare import PreparedRun, prepare_run
from ._registry import PublishedSplit, RecipeInfo, list_recipes, make_recipe, recipe_info
from ._runs import compute_run
from ._summaries import benchmark_table, incomplete_runs, load_runs

__all__ = [
    "PreparedRun",
    "PublishedSplit",
    "RecipeInfo",
    "benchmark_table",
    "cnn_bilstm_182",
    "cnn_gru_attention",
    "cnn_lstm_attention",
    "cnn_lstm_attention_augmented",
    "cnn_mfcc_chroma",
    "cnn_mfcc_four_corpora",
    "compute_run",
    "conv1d_time_domain",
    "conv2d_mel",
    "crnn_svm_ensemble",
    "crnn_svm_ensemble_by_speaker",
    "gradient_boosting_functionals",
    "improved_lstm",
    "incomplete_runs",
    "list_recipes",
    "load_runs",
    "lstm_mfcc_chroma",
    "make_recipe",
    "prepare_run",
    "recipe_info",
    "svm_functionals",
    "svm_functionals_by_speaker",
]
