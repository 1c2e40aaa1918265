"""The steps that join copies: signatures, pairs that meet, what they are judged by, and which of several copies is kept.

sign -> meet -> left -> judge -> evidence -> compare -> (components) -> members -> sizes -> (decide) -> propose -> choose
"""
