"""What people read shows no password, no token and no signature, and all else as it was."""

import pytest

from backend.domain.errors import AutolabelError, BadInput
from backend.domain.redaction import redact

SIGNED = "X-Amz-Algorithm=AWS4&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE&X-Amz-Signature=deadbeef"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach http://ann:pw@host:8080/a", "cannot reach http://host:8080/a"),
        ("redis://:p%40w@redis:6379/0 is away", "redis://redis:6379/0 is away"),
        (f"'https://b.example/a.jpg?{SIGNED}' is gone", "'https://b.example/a.jpg?…' is gone"),
        (f"//b.example/a.jpg?{SIGNED}", "//b.example/a.jpg?X-Amz-Algorithm=…&X-Amz-Credential=…&"
         "X-Amz-Signature=…"),
        ("/a.jpg?se=2030&sig=abc", "/a.jpg?se=2030&sig=…"),
        ("Authorization: Token 0123456789abcdef", "Authorization: Token **********"),
        ("sent Basic YW5uOnB3cHc=", "sent Basic **********"),
        ("refused eyJhbGciOi.eyJzdWI.c2ln", "refused **********"),
        ("key AKIAIOSFODNN7EXAMPLE", "key **********"),
    ],
)  # fmt: skip
def test_secrets_are_known_by_their_form(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Is it running, and is this its address?",
        "http://localhost:8080 does not answer. Start it, and set LABEL_STUDIO_URL to its address",
        "Basic authentication is off; the token is wrong or disabled",
        "https://host/icon@2x.png: answered 404",
        "s3://bucket/cats/1.jpg: answered 403 Forbidden",
        "label 'a@b' has 3 of 5 images",
    ],
)
def test_other_text_stays_as_it_was(text: str) -> None:
    assert redact(text) == text


def test_known_secrets_are_hidden_wherever_they_stand() -> None:
    assert redact("a hunter2 b", ["hunter2"]) == "a ********** b"


def test_secrets_as_short_as_a_word_do_not_tear_holes_into_the_text() -> None:
    assert redact("the dog", ["og", ""]) == "the dog"


def test_what_an_error_says_is_redacted_whoever_raises_it() -> None:
    error = BadInput("no image at https://x/a?sig=1", "Open http://a:b@host")
    assert isinstance(error, AutolabelError)
    assert str(error) == "no image at https://x/a?…. Open http://host"
    assert (error.message, error.hint) == ("no image at https://x/a?…", "Open http://host")
