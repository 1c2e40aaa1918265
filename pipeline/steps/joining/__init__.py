"""The steps that join copies: signatures, what meets, what pairs are judged by, and which of several copies is kept.

`graph.joining` has their order.
"""
