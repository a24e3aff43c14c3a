from ._functionals import Functionals
from ._mfcc import MFCC

__all__ = ["MFCC", "Functionals"]
