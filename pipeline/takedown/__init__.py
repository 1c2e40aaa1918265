"""Takedown: records that someone demands to have removed, as the last mask of every build.

A corpus with demands is `mask(build(manifest, inputs), demands)`, whatever came first: every step decides with the
record as if nobody had asked, and what holds it is blanked at the end. So no other decision changes, no copy is
promoted in its place, and a rebuild can't bring it back.
"""
