"""Checks of national identifiers that python-stdnum has not: each from the rule that its country publishes."""

from __future__ import annotations

import re


def is_gb_nino(number: str) -> bool:
    """A National Insurance number: the letters that are given out (HMRC, National Insurance Manual, NIM39110).

    It has no check digit.
    """
    letters = number[:2]
    return (
        not re.search("[DFIQUV]", letters)
        and letters[1] != "O"
        and letters not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
        and number[-1] in "ABCD"
    )


def is_ru_snils(number: str) -> bool:
    """A pension account: the sum of digits times 9 to 1, modulo 101, is the last two (Pension Fund, order 192p)."""
    digits = re.sub("[^0-9]", "", number)
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(9, 0, -1), strict=False))
    return total % 101 % 100 == int(digits[9:]) and int(digits[:9]) > 1_001_998


def is_sg_nric(number: str) -> bool:
    """An identity card number: weights 2 7 6 5 4 3 2, remainder by 11 as a letter (not published)."""
    total = sum(int(digit) * weight for digit, weight in zip(number[1:8], (2, 7, 6, 5, 4, 3, 2), strict=True))
    letters = {"S": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "M": "XWUTRQPNJLK"}
    letters |= {"T": letters["S"][7:] + letters["S"][:7], "G": letters["F"][7:] + letters["F"][:7]}
    if number[0] == "M":
        return letters["M"][(total + 3) % 11] == number[-1]
    if number[0] in "TG":
        return letters["S" if number[0] == "T" else "F"][(total + 4) % 11] == number[-1]
    return letters[number[0]][total % 11] == number[-1]


def is_tw_id(number: str) -> bool:
    """An identity card number: the letter as two digits, weights 1 9 8 ... 1 1, sum 0 modulo 10."""
    code = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0]) + 10
    total = code // 10 + code % 10 * 9
    total += sum(int(digit) * weight for digit, weight in zip(number[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True))
    return total % 10 == 0


def is_de_rvnr(number: str) -> bool:
    """A pension insurance number: weights 2 1 2 5 7 1 2 1 2 1 2 1 on digits, the letter as two (VKVV, section 4)."""
    text = re.sub("[^0-9A-Z]", "", number)
    digits = f"{text[:8]}{ord(text[8]) - 64:02d}{text[9:11]}"
    total = sum(
        sum(divmod(int(digit) * weight, 10))
        for digit, weight in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True)
    )
    day, month = int(text[2:4]), int(text[4:6])
    return total % 10 == int(text[11]) and 1 <= day <= 81 and 1 <= month <= 12


def is_dk_cpr(number: str) -> bool:
    """A personal number with its check digit (weights 4 3 2 7 6 5 4 3 2 1, modulo 11), as given out until 2007."""
    digits = re.sub("[^0-9]", "", number)
    return sum(int(d) * w for d, w in zip(digits, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1), strict=True)) % 11 == 0
