"""Whether a token is one of ours; a token comes with every request for half an hour, and is read once."""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import Any

import jwt
from flask_jwt_extended import JWTManager
from flask_jwt_extended.config import config

from codesherpa.database import LARGEST_KEY

KEPT = 4096  # Tokens; one takes about 2 kB.
# Three parts in the one spelling that base64url has for them; PyJWT would take `=` at the end as well. The last
# letter of 32 bytes carries four bits, so only sixteen letters can stand there.
SPELLING = re.compile(r"(?:[A-Za-z0-9_-]{1,900}\.){2}[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
HEADER = {"alg": "HS256", "typ": "JWT"}
CLAIMS: dict[str, type] = {"sub": str, "jti": str, "iss": str, "aud": str, "type": str, "sid": int} | dict.fromkeys(
    ("iat", "nbf", "exp"), int
)


class Guard(JWTManager):
    """Flask-JWT-Extended's own, which reads each token three times at each request.

    That a token was signed by us stays true, so it is kept. Whether it has ended is looked at each time,
    and whether its session has is asked of the database, by whoever asks for the user.
    """

    def _decode_jwt_from_config(self, encoded_token: str, csrf_value: Any = None, allow_expired: bool = False) -> Any:
        claims = signed(encoded_token, config.decode_key, config.decode_issuer, str(config.decode_audience))
        if not allow_expired and claims["exp"] <= time.time():
            raise jwt.ExpiredSignatureError("Signature has expired")
        return claims.copy()


@lru_cache(KEPT)
def signed(token: str, key: str, issuer: str, audience: str) -> dict[str, Any]:
    """Return the claims of a token, ended or not. Raises PyJWTError where it is not ours, to the letter."""
    if not SPELLING.fullmatch(token):
        raise jwt.DecodeError("This is not how our tokens are written.")
    options: Any = {"require": list(CLAIMS), "verify_exp": False}
    read = jwt.decode_complete(token, key, algorithms=["HS256"], issuer=issuer, audience=audience, options=options)
    claims: dict[str, Any] = read["payload"]
    # PyJWT checks the claims that are there, and is content with times that are no numbers of ours.
    ours = read["header"] == HEADER and all(type(claims[name]) is kind for name, kind in CLAIMS.items())
    if not ours or claims["type"] not in ("access", "refresh") or not 0 < claims["sid"] <= LARGEST_KEY:
        raise jwt.InvalidTokenError("This is not what our tokens hold.")
    return claims
