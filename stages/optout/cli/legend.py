"""What `lauter optout compile` counts, in words."""

from __future__ import annotations

from collections.abc import Mapping

from lauter.stages.optout.report import FILES, SNAPSHOT

LEGEND: Mapping[str, str] = {
    **{name: f"answers {meaning}" for name, meaning in SNAPSHOT.items()},
    "records": "answers in the snapshot",
    "lost": "places where bytes of the snapshot are lost",
    "other_records": "records that are no answers",
    "origins": "origins; each has one of the outcomes rules, allow, missing, unreachable, unparsable and forbidden",
    "rules": "origins whose robots.txt has rules for agents of the policy",
    "allow": "origins whose robots.txt has none for them, or that say they have no robots.txt",
    "missing": "origins with another file alone",
    "unreachable": "origins whose robots.txt could not be had",
    "unparsable": "origins whose robots.txt is none",
    "forbidden": "origins that show their robots.txt to nobody (401, 403)",
    "redirected": "origins whose robots.txt is that of another",
    "truncated": "origins whose robots.txt is longer than what is read",
    "versions": "rows of the index; an origin has several where the policy looks at crawl time too",
    "denying": "rows with a rule against an agent of the policy",
    "statements": "statements of owners that are no rules, on record",
    **{name: f"answers for {files}" for name, files in FILES.items()},
}
"""By the name of the count."""
