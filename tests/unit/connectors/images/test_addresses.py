import base64
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import FetchFailed
from connectors.images.addresses import (
    Address,
    Place,
    file_path,
    likely_base,
    parse,
    server_path,
)

SERVER = "http://labels.example:8080"
CODED = base64.urlsafe_b64encode(b"s3://bucket/a b/1.jpg").decode()


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("/data/upload/3/ab-1.jpg", Address(Place.UPLOAD, "/data/upload/3/ab-1.jpg")),
        ("/data/local-files/?d=cats/1.jpg", Address(Place.LOCAL, "cats/1.jpg")),
        ("/data/local-files?d=cats%2F1.jpg", Address(Place.LOCAL, "cats/1.jpg")),
        ("/data/local-files/?d=/cats/./1%20a.jpg", Address(Place.LOCAL, "cats/1 a.jpg")),
        ("s3://bucket/a b/1.jpg", Address(Place.CLOUD, "s3://bucket/a b/1.jpg")),
        ("gs://bucket/1.jpg", Address(Place.CLOUD, "gs://bucket/1.jpg")),
        ("azure-blob://box/1.jpg", Address(Place.CLOUD, "azure-blob://box/1.jpg")),
        (f"/tasks/7/resolve/?fileuri={CODED}", Address(Place.CLOUD, "s3://bucket/a b/1.jpg")),
        (f"/tasks/7/presign/?fileuri={CODED}", Address(Place.CLOUD, "s3://bucket/a b/1.jpg")),
        (
            "/storage-data/uploaded/?filepath=upload/3/1.jpg",
            Address(Place.SERVER, "/storage-data/uploaded/?filepath=upload/3/1.jpg"),
        ),
        ("/static/1.jpg", Address(Place.WEB, f"{SERVER}/static/1.jpg")),
        (
            "https://images.example/1.jpg?sig=x",
            Address(Place.WEB, "https://images.example/1.jpg?sig=x"),
        ),
        ("data:image/png;base64,AAAA", Address(Place.INLINE, "data:image/png;base64,AAAA")),
    ],
)
def test_each_kind_of_address_is_known(uri: str, address: Address) -> None:
    assert parse(uri, SERVER) == address


SERVED = (
    "/data/upload/3/ab-1.jpg",
    "/data/local-files/?d=cats/1.jpg",
    f"/tasks/7/resolve/?fileuri={CODED}",
)


@pytest.mark.parametrize("path", SERVED)
@pytest.mark.parametrize("host", [SERVER, "https://labels.test", "https://labels.test:443"])
def test_a_file_of_label_studio_is_known_by_each_of_its_addresses(host: str, path: str) -> None:
    names = ("https://labels.test", "")
    assert parse(host + path, SERVER, names) == parse(path, SERVER)


@pytest.mark.parametrize("host", ["http://127.0.0.1:8080", "http://[::1]:8080"])
def test_all_names_of_this_machine_are_one(host: str) -> None:
    server = "http://localhost:8080"
    assert parse(host + SERVED[0], server) == parse(SERVED[0], server)


@pytest.mark.parametrize("path", SERVED)
@pytest.mark.parametrize(
    "host", ["https://other.example", "http://labels.example", "http://localhost:8080"]
)
def test_a_file_of_another_host_is_none_of_label_studio(host: str, path: str) -> None:
    assert parse(host + path, SERVER) == Address(Place.WEB, host + path)


def test_a_path_in_the_base_url_is_not_doubled() -> None:
    server = "http://labels.example/studio"
    upload = Address(Place.UPLOAD, "/data/upload/3/1.jpg")
    assert parse("/studio/data/upload/3/1.jpg", server) == upload
    assert parse("/data/upload/3/1.jpg", server) == upload
    assert parse("/static/1.jpg", server).at == "http://labels.example/studio/static/1.jpg"


PUBLIC = "https://tools.example.org/label-studio"


@pytest.mark.parametrize(
    ("server", "names"),
    [
        ("http://label-studio:8080", (PUBLIC,)),
        (PUBLIC, ()),
        (PUBLIC, ("https://tools.example.org",)),
        ("https://tools.example.org", ()),
    ],
)
@pytest.mark.parametrize("path", SERVED)
@pytest.mark.parametrize(
    "head",
    ["/label-studio", "label-studio", "", "//tools.example.org/label-studio", PUBLIC],
)
def test_the_path_under_which_label_studio_is_published_is_known(
    server: str, names: tuple[str, ...], path: str, head: str
) -> None:
    assert parse(head + path, server, names) == parse(path, SERVER)


@pytest.mark.parametrize("path", SERVED)
def test_a_prefix_of_the_task_data_is_enough_where_no_setting_has_one(path: str) -> None:
    assert parse("/label-studio" + path, "http://label-studio:8080") == parse(path, SERVER)
    assert parse("/a/b" + path, "http://label-studio:8080") == parse(path, SERVER)


@pytest.mark.parametrize("path", SERVED)
@pytest.mark.parametrize(
    "host",
    [
        "https://tools.example.org/other-studio",
        "https://tools.example.org:8443/label-studio",
        "https://cdn.example.org/label-studio",
        "https://label-studio.evil.example",
    ],
)
def test_the_same_path_elsewhere_is_not_this_label_studio(host: str, path: str) -> None:
    address = parse(host + path, "http://label-studio:8080", (PUBLIC,))
    assert address == Address(Place.WEB, host + path)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/data/local-files/?d=set1%5Cimg_77.jpg", "?d=set1%5Cimg_77.jpg"),
        ("/data/local-files/?d=c:/photos/img_1.jpg", "?d=c%3A/photos/img_1.jpg"),
        ("/data/local-files/?d=Fotos/Caf%C3%A9%20à%201.jpg", "?d=Fotos/Caf%C3%A9%20%C3%A0%201.jpg"),
        ("/data/local-files/?d=a%2Bb%20c.jpg", "?d=a%2Bb%20c.jpg"),
    ],
)
def test_files_of_label_studio_are_asked_for_as_they_are_named_there(uri: str, path: str) -> None:
    """With back slashes and drives of Windows, accents and spaces."""
    assert server_path(parse(uri, SERVER), 1) == f"/data/local-files/{path}"


@pytest.mark.parametrize(
    "uri",
    [
        "https://bucket.s3.example/a.jpg?X-Amz-Signature=a%2Fb%2Bc%3D&X-Amz-Date=2026",
        "https://images.example/Caf%C3%A9%20%231.jpg",
    ],
)
def test_an_address_of_the_web_is_not_written_otherwise(uri: str) -> None:
    """A signature that is encoded a second time is refused."""
    assert parse(uri, SERVER).at == uri


def test_an_upload_is_asked_for_by_its_encoded_name() -> None:
    upload = parse("/data/upload/3/Caf%C3%A9%20à%20côté%201.png", SERVER)
    assert upload == Address(Place.UPLOAD, "/data/upload/3/Caf%C3%A9%20à%20côté%201.png")
    assert file_path(upload) == "upload/3/Café à côté 1.png"


@pytest.mark.parametrize("uri", ['["/data/upload/1/a.png", "/b.png"]', '[{"url": "/a.png"}, 7]'])
def test_several_images_in_one_task_are_named_with_what_to_do(uri: str) -> None:
    with pytest.raises(FetchFailed, match="list of several images") as refused:
        parse(uri, SERVER)
    assert "task of its own" in refused.value.hint


def test_a_data_set_from_before_https_is_of_the_same_label_studio() -> None:
    old, new = "http://tools.example.org", "https://tools.example.org"
    assert parse(old + SERVED[0], new).place is Place.UPLOAD


def test_an_address_without_a_scheme_has_that_of_label_studio_in_browsers() -> None:
    web = parse("//images.example/1.jpg", "http://label-studio:8080", (PUBLIC,))
    assert web == Address(Place.WEB, "https://images.example/1.jpg")


@pytest.mark.parametrize(
    ("uri", "base"),
    [
        ("https://a.example/studio/data/upload/4/1.png", "https://a.example/studio"),
        ("http://localhost:8080/data/local-files/?d=1.png", "http://localhost:8080"),
        ("https://me:secret@a.example/data/upload/4/1.png", "https://a.example"),
        ("https://a.example/images/1.png", ""),
        ("data:image/png;base64,AAAA", ""),
    ],
)
def test_a_path_of_label_studio_tells_which_one_may_be_meant(uri: str, base: str) -> None:
    assert likely_base(uri) == base


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "cat.jpg",
        "file:///etc/passwd",
        "ftp://a.example/1.jpg",
        "http://",
        "http://a.example:none/1.jpg",
        "/\ud800",
    ],
)
def test_an_address_that_cannot_be_fetched_is_refused_with_a_hint(uri: str) -> None:
    with pytest.raises(FetchFailed) as refused:
        parse(uri, SERVER)
    assert refused.value.hint


@pytest.mark.parametrize("path", ["/api/users/", "/data/upload/3/../../../api/users/"])
def test_other_routes_of_label_studio_are_never_asked_with_the_token(path: str) -> None:
    assert parse(path, SERVER).place is Place.WEB
    assert parse(SERVER + path, SERVER).place is Place.WEB


def test_label_studio_is_asked_for_each_kind_by_its_own_route() -> None:
    local = Address(Place.LOCAL, "a b/1&2.jpg")
    assert server_path(local, 7) == "/data/local-files/?d=a%20b/1%262.jpg"
    cloud = Address(Place.CLOUD, "s3://bucket/a b/1.jpg")
    assert server_path(cloud, 7) == f"/tasks/7/resolve/?fileuri={CODED}"


def test_an_address_is_shown_without_what_may_be_a_secret() -> None:
    assert (
        str(Address(Place.WEB, "https://a.example/1.jpg?sig=secret")) == "https://a.example/1.jpg"
    )
    assert str(Address(Place.WEB, "https://me:se@cret@a.example/@1.jpg")) == (
        "https://a.example/@1.jpg"
    )
    assert len(str(Address(Place.INLINE, "data:image/png;base64," + "A" * 999))) < 30


STEPS = st.lists(st.sampled_from(["..", ".", "", "a", "%2e%2e", "b.jpg", "\0", "..\\"]), max_size=9)


@given(STEPS, st.booleans())
def test_no_local_file_lies_outside_its_folder(steps: list[str], absolute: bool) -> None:
    uri = "/data/local-files/?d=" + "/" * absolute + "/".join(steps)
    try:
        address = parse(uri, SERVER)
    except FetchFailed:
        return
    assert address.place is not Place.LOCAL or _is_inside(address.at)
    assert parse(server_path(address, 1), SERVER) == address or address.place is not Place.LOCAL


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for uri in (text, f"/data/local-files/?d={text}", f"http://{text}", f"/data/upload/1/{text}"):
        try:
            address = parse(uri, SERVER)
        except FetchFailed:
            continue
        assert address.place is not Place.LOCAL or _is_inside(address.at)


def _is_inside(relative: str) -> bool:
    return posixpath.normpath("/root/" + relative).startswith("/root/") and "\0" not in relative
