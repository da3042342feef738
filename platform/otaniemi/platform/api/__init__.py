"""The REST API: routes in `app`, what they need of the running market in `services`, JSON forms in `models`."""

from otaniemi.platform.api.app import create_app
from otaniemi.platform.api.services import MarketPlace

__all__ = ["MarketPlace", "create_app"]
