"""Calls of Label Studio: those recorded from a live one, if at hand, and those written here."""

import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RECORDED = HERE.parents[2] / "shared" / "reference" / "label-studio-payloads.json"
WRITTEN = json.loads((HERE / "payloads.json").read_text())


def recorded_calls():
    if not RECORDED.exists():
        why = f"the recorded payloads are not at {RECORDED}"
        return [pytest.param(None, marks=pytest.mark.skip(reason=why))]
    calls = json.loads(RECORDED.read_text())
    return [pytest.param(call, id=call["action"] or call["path"][1:]) for call in calls]


def send(client, call, **changes):
    body = call["body"] if call["body"] is None else {**call["body"], **changes}
    return client.open(call["path"], method=call["method"], json=body)
