"""Explain why Label Studio refused a prediction, by the validation rules of its SDK.

Needs the extra `sdk`, see docs/decisions/label-studio-sdk.md.
"""

from collections.abc import Mapping
from typing import Any, cast

from connectors.errors import Rejected

NO_SDK = "refused; install the extra label-studio-autolabel[sdk] to see the reason"


class Validator:
    """Validates predictions against one labeling config, as Label Studio's bulk import does.

    Raises:
        Rejected: when the labeling config is not valid.
    """

    def __init__(self, label_config: str) -> None:
        self._interface: Any = _label_interface(label_config)

    def reason(self, prediction: Mapping[str, Any]) -> str:
        """What is wrong with a prediction, "" if nothing is; `NO_SDK` without the SDK."""
        if self._interface is None:
            return NO_SDK
        errors = self._interface.validate_prediction(dict(prediction), return_errors=True)
        return "; ".join(cast("list[str]", errors))


def _label_interface(label_config: str) -> Any:
    """The SDK's reading of a labeling config, None if the SDK is not installed.

    The SDK takes seconds to import, so it is imported only when a prediction was refused.
    """
    try:
        from label_studio_sdk._legacy.exceptions import (  # noqa: PLC0415 - takes seconds
            LabelStudioValidationErrorSentryIgnored,
            LabelStudioXMLSyntaxErrorSentryIgnored,
        )
        from label_studio_sdk.label_interface.interface import (  # noqa: PLC0415 - takes seconds
            LabelInterface,
        )
    except ImportError:
        return None
    invalid = (
        LabelStudioValidationErrorSentryIgnored,
        LabelStudioXMLSyntaxErrorSentryIgnored,
        ValueError,
    )
    try:
        return LabelInterface(label_config)
    except invalid as exc:
        raise Rejected("the project's labeling config is not valid") from exc
