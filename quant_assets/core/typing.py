"""Shared array aliases. Nothing but names for types belongs here.

Day arrays are ``datetime64[D]``; every float array is 64-bit and uses NaN for "not observed".
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
DayArray = NDArray[np.datetime64]
AnyArray = NDArray[Any]
