"""Whether a token is one of ours; a token comes with every request for half an hour, and is read once."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import jwt
from flask_jwt_extended import JWTManager
from flask_jwt_extended.config import config

KEPT = 4096  # Tokens; one takes about 2 kB.


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
    """Return the claims of a token, ended or not. Raises PyJWTError where it is not ours or lacks one of them."""
    required = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti", "type"]
    options: Any = {"require": required, "verify_exp": False}
    return jwt.decode(token, key, algorithms=["HS256"], issuer=issuer, audience=audience, options=options)
