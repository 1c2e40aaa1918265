"""Opt-outs: drops a page when its owner said, in the origin's robots.txt, that it is not for AI training."""
