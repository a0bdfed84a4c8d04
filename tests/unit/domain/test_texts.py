import time

import pytest

from backend.domain import texts
from backend.domain.items import ItemKind


def test_a_text_in_the_data_is_an_address_that_holds_it():
    address = texts.inline_address("  50% off: https://example.org/?a=%20b \n")
    assert texts.inline_text(address) == "50% off: https://example.org/?a=%20b"
    assert texts.inline_text("https://example.org") is None


@pytest.mark.parametrize("blank", ["", "   \n\t"])
def test_a_text_without_words_has_no_address(blank):
    assert texts.inline_address(blank) == ""


def test_a_long_text_is_cut():
    assert len(texts.inline_text(texts.inline_address("x" * 10**6))) == texts.MOST_CHARACTERS


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<p>Good &amp; <b>cheap</b></p>", "Good & cheap"),
        ("one<br>two", "one two"),
        ("<style>p {color: red}</style>seen<script>if (a < b) {}</script>", "seen"),
        ("<head><title>No</title></head><body>Yes</body>", "Yes"),
        ("a <!-- not <b>this</b> --> b", "a b"),
        ("<!DOCTYPE html><?php no ?>words", "words"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<SCRIPT>x</Script>y", "y"),
        ("<script>a < b", ""),
        ("cut off <a href='", "cut off"),
        ("open <!-- comment", "open"),
        ("<script>never closed", ""),
        ("no markup", "no markup"),
        ("&lt;b&gt; is a tag", "<b> is a tag"),
    ],
)
def test_markup_is_stripped(markup, words):
    assert texts.without_markup(markup) == words


@pytest.mark.parametrize("piece", ["<script>", "<!--", "<", "<a ", "&lt;", "</"])
def test_broken_markup_takes_linear_time(piece):
    began = time.process_time()
    texts.without_markup(piece * 200_000)
    assert time.process_time() - began < 20


def test_messages_name_images_and_texts():
    assert [(kind.noun, kind.plural) for kind in ItemKind] == [
        ("image", "images"),
        ("text", "texts"),
        ("text", "texts"),
    ]


def test_an_excerpt_is_the_beginning_in_one_line():
    assert texts.excerpt(texts.inline_address("one\n two")) == "one two"
    long = texts.excerpt(texts.inline_address("word " * 500))
    assert len(long) == texts.EXCERPT
    assert long.endswith("…")
    assert texts.excerpt("https://example.org/1.txt") == "https://example.org/1.txt"


def test_half_a_character_is_replaced():
    assert texts.inline_text(texts.inline_address("a \ud83d b")) == "a ? b"
