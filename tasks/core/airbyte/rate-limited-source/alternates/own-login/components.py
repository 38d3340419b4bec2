"""The carrier's login: a token is fetched when there is none, and again shortly before it dies."""

import time
from dataclasses import InitVar, dataclass
from typing import Any, Mapping

import requests
from airbyte_cdk.sources.declarative.auth.declarative_authenticator import DeclarativeAuthenticator
from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets

AHEAD = 0.5  # seconds


@dataclass
class CarrierLogin(DeclarativeAuthenticator):
    config: Mapping[str, Any]
    parameters: InitVar[Mapping[str, Any]]

    def __post_init__(self, parameters: Mapping[str, Any]) -> None:
        self._token, self._dies = "", 0.0

    @property
    def auth_header(self) -> str:
        return "Authorization"

    @property
    def token(self) -> str:
        if time.monotonic() >= self._dies - AHEAD:
            answer = requests.post(
                f"{self.config['base_url']}/oauth/token",
                json={
                    "grant_type": "client_credentials",
                    "client_id": self.config["client_id"],
                    "client_secret": self.config["client_secret"],
                },
                timeout=30,
            )
            answer.raise_for_status()
            given = answer.json()
            add_to_secrets(given["access_token"])
            self._token, self._dies = given["access_token"], time.monotonic() + given["expires_in"]
        return f"Bearer {self._token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self.get_auth_header())
        return request

    def get_auth_header(self) -> Mapping[str, Any]:
        return {self.auth_header: self.token}
# canary: 253dda02-ace4-471b-8196-d012a6ab46e3
