"""Settings of the whole suite."""

from __future__ import annotations

from hypothesis import settings

# The first call of a kernel compiles it, for seconds: that is no slow example.
settings.register_profile("lauter", deadline=None)
settings.load_profile("lauter")
