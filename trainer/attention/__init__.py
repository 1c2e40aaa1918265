"""Attention that stops at document ends, one signature with a backend per device."""
