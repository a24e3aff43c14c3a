from ._classical import svm_functionals
from ._registry import list_recipes, make_recipe

__all__ = ["list_recipes", "make_recipe", "svm_functionals"]
