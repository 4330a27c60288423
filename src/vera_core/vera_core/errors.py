# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Errors raised at the door (start-up, files, shapes) and the refusals that are normal events inside the loop."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class VeraError(ValueError):
    """Base of every error this project raises on purpose."""


class ConfigError(VeraError):
    """A parameter, file or command line value cannot be used."""


class ShapeError(VeraError):
    """An array has the wrong shape, type or a value that is not finite."""


class EmbodimentError(VeraError):
    """A robot description is missing, incomplete or contradicts the robot that answers."""


class ModelContractError(VeraError):
    """Weights do not fit the network, the robot or the version that loads them."""


class PlanningError(VeraError):
    """A plan could not be made; the text says what to change."""


class WireError(VeraError):
    """Bytes from another machine are not a message that can be used."""


class LinkError(VeraError):
    """Another machine cannot be reached, is silent, or has gone; the text says what to check."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an input was not used. A normal event: the caller reports it and holds."""

    code: str
    """Short machine-readable name, for example `not_finite`."""
    text: str
    """One sentence with the value, the limit and what to do."""


def nearest_name_hint(name: str, known: Iterable[str]) -> str:
    """Return `known: a, b. Did you mean 'b'?` for an error text about an unknown name."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean '{close[0]}'?" if close else ''
    return f'known: {", ".join(names) or "none"}.{hint}'
