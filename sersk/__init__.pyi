from . import augmentation as augmentation
from . import datasets as datasets
from . import exceptions as exceptions
from . import feature_extraction as feature_extraction
from . import inspection as inspection
from . import metrics as metrics
from . import model_selection as model_selection
from . import neural_network as neural_network
from . import persistence as persistence
from . import preprocessing as preprocessing
from . import recipes as recipes
from ._utils._allocator import tune_allocator as tune_allocator
from .persistence._model import load as load
from .persistence._model import read_card as read_card
from .persistence._model import save as save

__version__: str
