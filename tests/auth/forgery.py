"""Tokens that nobody should take, made from one that is good."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import string
import time
from collections.abc import Iterator
from typing import Any

HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
ALPHABET = string.ascii_letters + string.digits + "-_"


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def sign(header: Any, claims: Any, key: str, hash: str = "sha256") -> str:
    body = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}"
    return f"{body}.{encode(hmac.digest(key.encode(), body.encode(), hash))}"


def forgeries(good: str, refresh: str, key: str) -> dict[str, str]:
    """Return forged access tokens by what is wrong with them; `key` is the one that signs, which may leak."""
    head, body, seal = good.split(".")
    header, claims = decode(head), decode(body)
    return {
        **of_algorithms(header, claims, seal, key),
        **of_headers(header, claims, seal, key),
        **of_claims(header, claims, seal, key),
        **of_spelling(head, body, seal),
        "a refresh token": refresh,
        "another token's seal": f"{head}.{body}.{refresh.split('.')[2]}",
        "another token's header and seal": f"{refresh.split('.')[0]}.{body}.{refresh.split('.')[2]}",
    }


def of_algorithms(header: Any, claims: Any, seal: str, key: str) -> dict[str, str]:
    found = {}
    for none in ("none", "None", "NONE", "nOnE", "", " none", None):
        unsigned = sign(header | {"alg": none}, claims, key).rsplit(".", 1)[0]
        found[f"alg {none!r} without a seal"] = f"{unsigned}."
        found[f"alg {none!r} without a third part"] = unsigned
        found[f"alg {none!r} with the good seal"] = f"{unsigned}.{seal}"
    for alg in ("RS256", "PS256", "ES256", "EdDSA", "hs256", "HS256 ", "HS1", "dir", 256, True, ["HS256"], {"a": 1}):
        found[f"alg {alg!r} sealed as HS256"] = sign(header | {"alg": alg}, claims, key)
    for alg in ("HS384", "HS512"):
        found[f"{alg} with our key"] = sign(header | {"alg": alg}, claims, key, HASHES[alg])
    for guess in ("", "secret", "HS256", "codesherpa", "0" * 32, key[:-1], key + " ", key.upper()):
        found[f"sealed with {guess!r}"] = sign(header, claims, guess)
    return found


def of_headers(header: Any, claims: Any, seal: str, key: str) -> dict[str, str]:
    own = {"kty": "oct", "k": encode(b"mine"), "alg": "HS256"}
    tricks: dict[str, dict[str, Any]] = {
        "a kid that is a path": {"kid": "../../../../dev/null"},
        "a kid that is SQL": {"kid": "x' UNION SELECT 'mine"},
        "a kid that is a command": {"kid": "|cat /etc/passwd"},
        "a key of its own": {"jwk": own},
        "a key at an address": {"jku": "https://evil.example/keys"},
        "a certificate": {"x5c": ["MIIB"]},
        "a certificate at an address": {"x5u": "https://evil.example/cert"},
        "an unencoded payload": {"b64": False, "crit": ["b64"]},
        "something critical": {"crit": ["exp"]},
        "another type": {"typ": "at+jwt"},
        "an encrypted type": {"typ": "JWE"},
        "a nested token": {"cty": "JWT"},
        "compression": {"zip": "DEF"},
    }
    found = {f"{name}, sealed with it": sign(header | more, claims, "mine") for name, more in tricks.items()}
    found |= {f"{name}, sealed with our key": sign(header | more, claims, key) for name, more in tricks.items()}
    found["a kid of nothing, sealed with nothing"] = sign(header | {"kid": "/dev/null"}, claims, "")
    found["no header"] = sign({}, claims, key)
    found["a header that is a list"] = sign(["HS256"], claims, key)
    found["no type in the header"] = sign({"alg": "HS256"}, claims, key)
    return found


def of_claims(header: Any, claims: Any, seal: str, key: str) -> dict[str, str]:
    """Changed claims, once with the seal as it was and once with the right key, as another service may have it."""
    now = int(time.time())
    changes: dict[str, dict[str, Any]] = {
        "another user": {"sub": str(int(claims["sub"]) + 1)},
        "a user as a number": {"sub": int(claims["sub"])},
        "another session": {"sid": claims["sid"] + 1},
        "a session as text": {"sid": str(claims["sid"])},
        "a session that is true": {"sid": True},
        "a session as a fraction": {"sid": float(claims["sid"])},
        "no session's number": {"sid": None},
        "a session's number that no column holds": {"sid": 2**70},
        "a refresh token's type": {"type": "refresh"},
        "an unknown type": {"type": "admin"},
        "another case of type": {"type": "Access"},
        "another issuer": {"iss": "evil"},
        "a list of issuers": {"iss": ["codesherpa"]},
        "another audience": {"aud": "evil"},
        "a list of audiences": {"aud": ["codesherpa", "evil"]},
        "an end in the past": {"exp": now - 1},
        "an end as text": {"exp": "99999999999"},
        "no number for an end": {"exp": None},
        "an endless end": {"exp": float("inf")},
        "a start in the future": {"nbf": now + 3600},
        "an issue in the future": {"iat": now + 3600},
        "an issue as text": {"iat": "now"},
    }
    changed = {name: claims | change for name, change in changes.items()}
    for name in ("exp", "nbf", "iat", "iss", "aud", "sub", "sid", "type", "jti"):
        changed[f"no {name}"] = {claim: value for claim, value in claims.items() if claim != name}
    found = {f"{name}, sealed with our key": sign(header, forged, key) for name, forged in changed.items()}
    for name, forged in changed.items():
        found[f"{name}, sealed as it was"] = f"{sign(header, forged, key).rsplit('.', 1)[0]}.{seal}"
    found["claims that are a list"] = sign(header, [claims], key)
    found["claims that are a number"] = sign(header, 7, key)
    return found


def of_spelling(head: str, body: str, seal: str) -> dict[str, str]:
    good = f"{head}.{body}.{seal}"
    twin = ALPHABET_OF_BASE64[ALPHABET_OF_BASE64.index(seal[-1]) ^ 1]
    return {
        "nothing": "",
        "dots": "..",
        "no seal": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "one part": head,
        "four parts": f"{good}.{seal}",
        "five parts": f"{head}..{body}.{seal}.{seal}",
        "no header part": f".{body}.{seal}",
        "no body part": f"{head}..{seal}",
        "parts in another order": f"{body}.{head}.{seal}",
        "one letter less": good[:-1],
        "half": good[: len(good) // 2],
        "half a seal": f"{head}.{body}.{seal[:21]}",
        "padding": f"{good}=",
        "more padding": f"{good}==",
        "padding within": f"{head}=.{body}.{seal}",
        "another spelling of the same seal": f"{head}.{body}.{seal[:-1]}{twin}",
        "a seal with junk in it": f"{head}.{body}.{seal[:5]}!{seal[5:]}",
        "a seal with white space in it": f"{head}.{body}.{seal[:5]} {seal[5:]}",
        "white space behind": f"{good} x",
        "a zero byte behind": f"{good}\0",
        "a zero byte in front": f"\0{good}",
        "a full stop that is none": good.replace(".", "\u3002"),
        "a letter that looks like another": good.replace("a", "\u0430", 1).replace("e", "\u0435", 1),
        "upper case": good.upper(),
        "lower case": good.lower(),
        "twice": good + good,
        "quoted": f'"{good}"',
        "very long": f"{head}.{body * 200}.{seal}",
        "a hash of the token": hashlib.sha256(good.encode()).hexdigest(),
    }


ALPHABET_OF_BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def mutations(good: str, count: int, seed: int) -> Iterator[str]:
    """Yield `count` tokens that differ from a good one by chance, the same ones for the same seed and token."""
    chance = random.Random(seed)
    made = 0
    while made < count:
        mutated = good
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            mutated = mutate(mutated, chance)
        if mutated != good:
            made += 1
            yield mutated


def mutate(token: str, chance: random.Random) -> str:
    at = chance.randrange(len(token) or 1)
    letter = chance.choice(ALPHABET + ".=+/!~ ")
    before, after = token[:at], token[at + 1 :]
    match chance.randrange(7):
        case 0:
            return before + letter + after
        case 1:
            return before + after
        case 2:
            return before + letter + token[at:]
        case 3:
            return before + chr((ord(token[at : at + 1] or "A") ^ (1 << chance.randrange(7))) or 65) + after
        case 4:
            return token[:at]
        case 5:
            return before + token[at : at + 1].swapcase() + after
        case _:
            return after + before
