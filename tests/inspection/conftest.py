import pytest


@pytest.fixture(autouse=True)
def _close_figures():
    """Leave no figure open: matplotlib warns of many, and warnings are errors."""
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
