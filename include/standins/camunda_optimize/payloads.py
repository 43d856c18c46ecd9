"""Request bodies, read in the vendor's way: what does not fit is a 400 in the vendor's shape."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from include.standins.camunda_optimize.switches import CamundaOptimizeSwitches
from include.standins.routing import Refused, Request
from include.standins.server import StandIn

T = TypeVar("T")


def parsed(vendor: StandIn[CamundaOptimizeSwitches], request: Request, shape: type[T]) -> T:
    """Return a JSON body.

    :param shape: what it has to be, for instance ``list[str]``
    :raises Refused: 400, it is not
    """
    try:
        return msgspec.json.decode(request.body, type=shape)
    except msgspec.MsgspecError as error:
        raise Refused(vendor.error(400, f"The request body does not fit: {error}")) from None
