"""The output filter: finds text of removed pages in what a model says, without holding any of that text.

A list holds keyed 64-bit hashes of short runs of normalised words. Who runs a model lets its output pass through
`lauter filter-output`, which replaces every stretch that runs of the list cover.
"""
