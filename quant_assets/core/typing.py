"""Shared aliases of array types. Only aliases of types belong here.

Day arrays are ``datetime64[D]``. Float arrays are 64-bit, and NaN means "not observed".
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
DayArray = NDArray[np.datetime64]
AnyArray = NDArray[Any]
