"""Finds the settings class of a service by the name in the table, so the launcher knows no service from inside."""

from __future__ import annotations

import importlib
import inspect

from persistent_session.services.description import Service
from shared.runtime import ServiceSettings


def settings_class(service: Service) -> type[ServiceSettings]:
    """The settings class of one of our own services."""
    module = importlib.import_module(service.settings_module)
    classes = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__]
    (found,) = (kind for kind in classes if issubclass(kind, ServiceSettings))
    return found
