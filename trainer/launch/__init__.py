"""Starts the ranks of a run: by torchrun, as a Slurm job, or as actors of Ray."""
