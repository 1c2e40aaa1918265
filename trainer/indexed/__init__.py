"""Token data in the files of other trainers: Megatron's indexed datasets and nanotron's flat files.

They hold ids and the ends of documents and nothing else: no source, no language, no record of what may be used.
"""
