"""The import of librosa."""

import os
import subprocess
import sys
import textwrap

import pytest


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_ctrl_c_waits_until_librosa_is_there():
    """numba loads what librosa compiled through a callback that would swallow it."""
    script = textwrap.dedent(
        """
        import os, signal, sys
        from sersk._utils._librosa import import_librosa

        class Impatient:
            def find_spec(self, name, path=None, target=None):
                if name == "librosa.util.utils":
                    os.kill(os.getpid(), signal.SIGINT)

        sys.meta_path.insert(0, Impatient())
        try:
            import_librosa()
        except KeyboardInterrupt:
            print("interrupted", "librosa.util.utils" in sys.modules)
        print(import_librosa().__name__)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == ["interrupted", "True", "librosa"], done.stderr
