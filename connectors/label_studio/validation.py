"""Why Label Studio would not take a prediction; by the rules of its own SDK."""

from collections.abc import Mapping
from typing import Any, cast

from connectors.errors import Rejected


class Validator:
    """Judges predictions against one labeling config, as Label Studio's bulk import does.

    Raises:
        Rejected: when the labeling config cannot be read.
    """

    def __init__(self, label_config: str) -> None:
        # The SDK takes seconds to import and is wanted only when something was refused.
        from label_studio_sdk._legacy.exceptions import (  # noqa: PLC0415
            LabelStudioValidationErrorSentryIgnored,
            LabelStudioXMLSyntaxErrorSentryIgnored,
        )
        from label_studio_sdk.label_interface.interface import LabelInterface  # noqa: PLC0415

        unreadable = (
            LabelStudioValidationErrorSentryIgnored,
            LabelStudioXMLSyntaxErrorSentryIgnored,
            ValueError,
        )
        try:
            self._interface: Any = LabelInterface(label_config)
        except unreadable as exc:
            raise Rejected("the project's labeling config cannot be read") from exc

    def reason(self, prediction: Mapping[str, Any]) -> str:
        """What is wrong with a prediction; empty if nothing is."""
        errors = self._interface.validate_prediction(dict(prediction), return_errors=True)
        return "; ".join(cast("list[str]", errors))
