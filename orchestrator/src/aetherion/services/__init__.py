"""The Go and Rust services as processes of a run."""

from aetherion.services.process import ServiceProcess, ServiceSpec
from aetherion.services.stack import Stack, running_services

__all__ = ["ServiceProcess", "ServiceSpec", "Stack", "running_services"]
