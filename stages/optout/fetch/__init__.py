"""Fetches robots.txt, tdmrep.json and ai.txt of many origins, politely, into a snapshot that is read like any other."""
