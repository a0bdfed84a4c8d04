from backend.domain.errors import AutolabelError, BadInput, Reason, ReasonCode, Refused, Stopped


def test_an_error_says_what_happened_and_what_to_do():
    error = BadInput("no such label", "Choose another one")
    assert str(error) == "no such label. Choose another one"
    assert (error.message, error.hint) == ("no such label", "Choose another one")
    assert str(AutolabelError("no such label")) == "no such label"


def test_a_refusal_gives_all_messages_and_each_hint_once():
    one = Reason(ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images", hint="Label more")
    other = Reason(ReasonCode.TOO_FEW_IMAGES, "class 'cat' has 1 of 5 images", hint="Label more")
    bare = Reason(ReasonCode.NO_UNLABELED_IMAGES, "no unlabeled image left")
    refused = Refused([one, other, bare])
    assert refused.message == f"{one.message}; {other.message}; {bare.message}"
    assert refused.hint == "Label more"
    assert refused.reasons == (one, other, bare)


def test_a_reason_reads_as_sentences():
    with_hint = Reason(ReasonCode.TOO_FEW_IMAGES, "3 of 5 images", hint="Label more.")
    assert with_hint.text == "3 of 5 images. Label more."
    assert Reason(ReasonCode.TOO_FEW_IMAGES, "3 of 5 images").text == "3 of 5 images"


def test_a_stopped_job_was_stopped_on_request():
    assert str(Stopped()) == "stopped on request"
