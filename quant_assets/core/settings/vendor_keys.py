"""Keys of vendors, and acceptances of their terms, from variables that other programs use as well.

They are no settings of the platform: nothing stores or shows them.
"""

import os

from pydantic import SecretStr

from quant_assets.core.errors import SettingsError

_YES = "yes"


def read_vendor_key(variable: str, vendor: str) -> SecretStr:
    """Read the key for a vendor from the environment.

    Args:
        variable: name of the variable, such as ``FRED_API_KEY``.
        vendor: name of the vendor, for the error.

    Raises:
        SettingsError: the variable is not set.
    """
    value = os.environ.get(variable, "").strip()
    if value:
        return SecretStr(value)
    raise SettingsError(
        f"there is no key for {vendor}",
        where=variable,
        expected=f"the key that {vendor} gave you",
        found="nothing",
        hint="set the variable; the key is sent to the vendor only, and neither stored nor shown",
    )


def is_accepted(variable: str) -> bool:
    """Return whether the user accepts something, by a variable that is ``yes``."""
    return os.environ.get(variable, "").strip().lower() == _YES
