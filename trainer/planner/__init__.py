"""What a run takes before it runs: operations, memory, messages, time, energy, and layouts that fit."""
