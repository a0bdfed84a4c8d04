import pytest

from backend.label_studio import task_data

DATA = {
    "image": "/a.png",
    "meta": {"photo": "/b.png", "pages": [{"url": "/c.png"}, {"url": "/d.png"}]},
    "flat.key": "/e.png",
    "base": "https://cdn.example.org",
    "file": "f.png",
    "number": 7,
    "one": ["/g.png"],
    "two": ["/g.png", "/h.png"],
    "none": [],
    "text": None,
}


@pytest.mark.parametrize(
    ("template", "address"),
    [
        ("$image", "/a.png"),
        ("$meta.photo", "/b.png"),
        ("$meta.pages[1].url", "/d.png"),
        ("$flat.key", "/e.png"),
        ("$base/$file", "https://cdn.example.org/f.png"),
        ("https://cdn.example.org/$file", "https://cdn.example.org/f.png"),
        ("https://cdn.example.org/$number.png", ""),
        ("https://cdn.example.org/$number/x.png", "https://cdn.example.org/7/x.png"),
        ("$one", "/g.png"),
        ("$two", '["/g.png", "/h.png"]'),
        ("$none", ""),
        ("$text", ""),
        ("$missing", ""),
        ("$meta.photo.more", ""),
        ("$meta.pages[9].url", ""),
        ("$base/$missing", ""),
    ],
)
def test_addresses_are_found_as_the_editor_finds_them(template, address):
    assert task_data.address(template, DATA) == address


def test_the_column_is_the_key_that_the_template_begins_with():
    assert task_data.column("$meta.pages[1].url") == "meta"
    assert task_data.column("https://cdn.example.org/$file") == "file"
    assert task_data.column("plain") == ""
    assert not task_data.has_variable("plain")
    assert not task_data.has_variable("$[.]")


@pytest.mark.parametrize("template", ["$image", "$meta.photo"])
def test_data_from_before_the_labeling_config_is_that_of_its_key(template):
    assert task_data.address(template, {"$undefined$": "/a.png"}) == "/a.png"
    assert task_data.address("$image", {"image": "/b.png", "$undefined$": "/a.png"}) == "/b.png"
