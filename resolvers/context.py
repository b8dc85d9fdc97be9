"""What every resolver is given."""

from dataclasses import dataclass

from core.principal import Principal
from core.services import Services


@dataclass(frozen=True, slots=True)
class Context:
    """`request_id` names the request in logs and in masked errors."""

    principal: Principal
    services: Services
    request_id: str
