"""Why Label Studio would not take a prediction; by the rules of its own SDK."""

from collections.abc import Mapping
from typing import Any, cast

from connectors.errors import Rejected


class Validator:
    """Judges predictions against one labeling config, as Label Studio's bulk import does.

    Raises:
        Rejected: when the SDK cannot read the labeling config.
    """

    def __init__(self, label_config: str) -> None:
        # The SDK takes seconds to import and is wanted only when something was refused.
        from label_studio_sdk.label_interface.interface import LabelInterface  # noqa: PLC0415

        try:
            self._interface: Any = LabelInterface(label_config)
        except Exception as exc:
            raise Rejected(f"the labeling config cannot be read: {exc}") from exc

    def reason(self, prediction: Mapping[str, Any]) -> str:
        """What is wrong with a prediction; empty if nothing is."""
        try:
            errors = self._interface.validate_prediction(dict(prediction), return_errors=True)
        except Exception as exc:  # noqa: BLE001 - as above: a malformed result may raise anything
            return f"cannot be validated ({type(exc).__name__})"
        return "; ".join(cast("list[str]", errors))
