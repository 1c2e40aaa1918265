"""Quality gates: numbers that may not fall. Each is measured on public test data, with the peers beside ours.

A gate is a module of this package with `NAME: str` and `measure() -> Mapping[str, float]`, of which every number is the
better the higher. Its baseline is the JSON file of the same name beside it, committed. `make quality` runs all of them:

    python -m benchmarks.gates [NAME...] [--update]
"""
