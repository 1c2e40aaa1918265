"""Errors in the shape in which OpenAI's protocol gives them."""

from __future__ import annotations

from typing import Any


class RequestError(Exception):
    """A request that is not answered: status, and what is said in the body."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code

    def to_json(self) -> dict[str, Any]:
        """`{"error": {"message", "type", "param", "code"}}`; the type follows from the status."""
        kind = {404: "not_found_error", 429: "rate_limit_error", 503: "server_error", 504: "timeout_error"}
        named = kind.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": str(self), "type": named, "param": self.param, "code": self.code}}
