from ._audio_reader import AudioReader
from ._drop_unreadable import DropUnreadable

__all__ = ["AudioReader", "DropUnreadable"]
