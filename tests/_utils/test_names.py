"""Names that are not known."""

import pytest

from sersk._utils._names import did_you_mean


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("svm", " Did you mean svm_functionals or svm_functionals_by_speaker?"),
        ("ravdes", " Did you mean ravdess?"),
        ("xyz", ""),
        ("", ""),
    ],
)
def test_near_names_are_suggested(name, hint):
    known = ("svm_functionals", "svm_functionals_by_speaker", "ravdess")
    assert did_you_mean(name, iter(known)) == hint
