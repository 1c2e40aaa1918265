"""Learned scores from one pass of an encoder: the stage, the encoder, its heads, and how these are trained."""
