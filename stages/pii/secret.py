"""Secrets that somebody has published by mistake: access tokens with a known form, web tokens, private keys.

The forms are those that the services publish, most of them for scanners like this one (GitHub, "Behind GitHub's new
authentication token formats", 2021; Slack, Stripe, Google, AWS and OpenAI in their own documentation).
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections import Counter
from collections.abc import Iterator

from lauter.stages.pii.recogniser import Hit
from lauter.stages.pii.wallet import base58check

_EDGE, _END = r"(?<![0-9A-Za-z_])", r"(?![0-9A-Za-z_])"
_BASE64URL = r"[A-Za-z0-9_\-]"

_FORMS = {
    "aws": r"(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AIPA|ANPA|ANVA|AROA)[A-Z2-7]{16}",
    "github": r"gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    "gitlab": rf"gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat)-{_BASE64URL}{{20,64}}",
    "slack": r"xox[abeoprs]-(?:[0-9]{1,13}-){0,3}[A-Za-z0-9\-]{10,200}",
    "slack-app": r"xapp-[0-9]-[A-Z0-9]{8,16}-[0-9]{10,15}-[a-f0-9]{32,80}",
    "slack-hook": r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Z0-9]{8,14}/[A-Za-z0-9/]{20,80}",
    "discord": r"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_\-]{60,80}",
    "google": rf"AIza{_BASE64URL}{{35}}|GOCSPX-{_BASE64URL}{{28}}|ya29\.{_BASE64URL}{{40,400}}",
    "stripe": r"(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{16,247}|whsec_[A-Za-z0-9+/=]{32,64}",
    "openai": rf"sk-(?:proj-|svcacct-|admin-|None-)?{_BASE64URL}{{20,100}}T3BlbkFJ{_BASE64URL}{{20,100}}",
    "openai-old": r"sk-[A-Za-z0-9]{48}",
    "anthropic": rf"sk-ant-(?:api|admin|oat)[0-9]{{2}}-{_BASE64URL}{{80,120}}",
    "router": r"sk-or-v1-[0-9a-f]{64}|gsk_[A-Za-z0-9]{52}|pplx-[0-9A-Za-z]{48}|r8_[A-Za-z0-9]{37}|xai-[A-Za-z0-9]{80}",
    "huggingface": r"hf_[A-Za-z0-9]{34,40}|api_org_[A-Za-z]{34}",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "pypi": rf"pypi-AgE{_BASE64URL}{{50,400}}",
    "sendgrid": rf"SG\.{_BASE64URL}{{22}}\.{_BASE64URL}{{43}}",
    "twilio": r"SK[0-9a-f]{32}",
    "mailgun": r"key-[0-9a-f]{32}|[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}",
    "mailchimp": r"[0-9a-f]{32}-us[0-9]{1,2}",
    "telegram": r"[0-9]{8,10}:AA[A-Za-z0-9_\-]{33}",
    "digitalocean": r"do[opr]_v1_[a-f0-9]{64}",
    "shopify": r"shp(?:at|ca|pa|ss|tka)_[a-fA-F0-9]{32}",
    "databricks": r"dapi[a-f0-9]{32}(?:-[0-9])?",
    "square": rf"sq0[a-z]{{3}}-{_BASE64URL}{{22,43}}|EAAA{_BASE64URL}{{60}}",
    "docker": r"dckr_pat_[A-Za-z0-9_\-]{27}",
    "grafana": r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}",
    "linear": r"lin_api_[A-Za-z0-9]{40}",
    "postman": r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
    "atlassian": r"ATATT3[A-Za-z0-9_\-=]{180,200}",
    "vault": r"hvs\.[A-Za-z0-9_\-]{24,140}",
    "planetscale": r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.\-]{32,64}",
    "rubygems": r"rubygems_[a-f0-9]{48}",
    "notion": r"secret_[A-Za-z0-9]{43}|ntn_[A-Za-z0-9]{40,50}",
    "newrelic": r"NRAK-[A-Z0-9]{27}",
    "age": r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    "jwt": rf"eyJ{_BASE64URL}{{14,2000}}\.{_BASE64URL}{{2,4000}}\.{_BASE64URL}{{10,1000}}",
    "wif": r"(?:5[1-9A-HJ-NP-Za-km-z]{50}|[KL][1-9A-HJ-NP-Za-km-z]{51}|[xyz]prv[1-9A-HJ-NP-Za-km-z]{107})",
}
"""Who makes tokens of a form -> the form."""

_TOKEN = re.compile(
    _EDGE + "(?:" + "|".join(f"(?P<{name.replace('-', '_')}>{form})" for name, form in _FORMS.items()) + ")" + _END
)
_VALUE = re.compile(r"(?<![A-Za-z0-9+/_.\-])[A-Za-z0-9+/_.\-]{20,200}={0,2}(?![A-Za-z0-9+/_\-])")

_ASSIGNED = re.compile(
    r"(?i)(?:api[_-]?key|secret(?:[_-]?(?:access[_-]?)?key)?|(?:access|account|private|encryption|signing)[_-]?key|"
    r"(?:access|auth)[_-]?token|client[_-]?secret|passw(?:or)?d|pwd|bearer|token)"
    r"(?:[\"']?\s{0,3}(?:=>|:=|[=:])\s{0,3}|\s+)[\"'`]?\Z"
)
_PLACEHOLDER = re.compile(
    r"(?i)example|sample|dummy|placeholder|changeme|your[_-]|xxxx|\.{3}|abcdef|012345|123456|aaaa|0000|test_?key|redacted|"
    r"insert|[_-]here|<|foobar|lorem"
)
_NAME_LIKE = re.compile(r"(?:[A-Za-z]+[0-9]{0,2}[_./-])*[A-Za-z]+[0-9]{0,4}|[\d.]+")
"""Words joined by signs, a file name, a number: what code assigns to variables that are named after secrets."""

ENTROPY = 3.5
"""Bits a character of a value that is taken for a secret by the name that it is assigned to. Twenty random
hexadecimal digits have 3.4 in the mean, twenty random letters and digits 4.0, twenty letters of English text 3.4."""
_FORMED = 2.8
"""Of a token whose form is known: below that it is an example such as `ghp_xxxxxxxx`."""


def find(text: str, _regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Texts in the form of a token."""
    for match in _TOKEN.finditer(text):
        yield match.span()


def find_value(text: str, _regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Texts that a name may say to be a secret."""
    for match in _VALUE.finditer(text):
        yield match.span()


def refine(hit: Hit) -> tuple[int, int] | None:
    """Take a token whose form is known, unless it is an example or its own check fails."""
    match = _TOKEN.fullmatch(hit.text)
    form = match.lastgroup if match else None
    if form == "jwt":
        return (0, len(hit.text)) if is_web_token(hit.text) else None
    if form == "wif":
        return (0, len(hit.text)) if base58check(hit.text) is not None else None
    if form is None or _PLACEHOLDER.search(hit.text) or entropy(hit.text) < _FORMED:
        return None
    if form in ("twilio", "mailgun", "mailchimp") and not re.search(
        "(?i)key|token|twilio|mailgun|mailchimp|secret", hit.before
    ):
        return None
    return 0, len(hit.text)


def refine_value(hit: Hit) -> tuple[int, int] | None:
    """Take a text that looks drawn at random, where the name right before it says that it is a secret."""
    value = hit.text
    if not _ASSIGNED.search(hit.before) or _PLACEHOLDER.search(value) or _NAME_LIKE.fullmatch(value):
        return None
    if (
        not re.search("[0-9]", value)
        or not re.search("[A-Za-z]", value)
        or value.count(".") > 1
        or value.count("/") > 6
    ):
        return None
    drawn = 3.0 if re.fullmatch("[0-9a-f]{32,128}", value) else ENTROPY
    return (0, len(value)) if entropy(value) >= drawn else None


def entropy(text: str) -> float:
    """Bits a character, by the frequencies of the text's own characters (Shannon 1948, section 6)."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def is_web_token(text: str) -> bool:
    """Whether a text is a JSON web token (RFC 7519): three parts, the first of them JSON that names an algorithm."""
    head = text.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return False
    return isinstance(header, dict) and ("alg" in header or "enc" in header)


BLOCK = re.compile(
    r"-----BEGIN (?P<name>(?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?)-----"
    r"(?:(?:(?!-----).){1,16000}?-----END (?P=name)-----|(?:[A-Za-z0-9+/=\s]|\\[rn]){64,16000})",
    re.DOTALL,
)
"""A key between its lines, or as much of its Base64 as there is of one that was cut off."""


def find_block(text: str, _regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Private keys in PEM (RFC 7468) or OpenPGP armour (RFC 9580, section 6.2)."""
    for match in BLOCK.finditer(text):
        yield match.start(), match.start() + len(match[0].rstrip())


def refine_block(hit: Hit) -> tuple[int, int] | None:
    """Take a block with a key in it; the two lines alone, or three dots between them, are an explanation."""
    body = re.sub(r"-----[^-]+-----|\\[rn]|\s|Proc-Type:[^\n]*|DEK-Info:[^\n]*|[A-Za-z]+: [^\n]*", "", hit.text)
    return (0, len(hit.text)) if len(body) >= 40 and not re.search(r"\.\.\.|…|(.)\1{15}", body) else None
