import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import DiskFull, FetchFailed, Unreachable
from connectors.http import HttpClient
from connectors.images.content import Content, Limits, save
from connectors.images.network import is_metadata
from connectors.images.storage import ImageRequest, Storage
from tests.fakes.image_server import (
    ImageServer,
    answer,
    dripping,
    dripping_headers,
    endless,
    image_server,
    in_turn,
    redirect,
    silent,
    tagged,
    truncated,
)

IMAGE = b"the content of an image"
TOKEN = "0123456789abcdef0123456789abcdef01234567"
LIMITS = Limits(seconds=60.0, size=100_000)
HASTE = Limits(seconds=0.3, size=100_000)


@pytest.fixture
def label_studio() -> Iterator[ImageServer]:
    with image_server() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[ImageServer]:
    with image_server() as server:
        yield server


def storage_of(label_studio: ImageServer, limits: Limits = LIMITS, **settings: object) -> Storage:
    client = HttpClient(label_studio.url(""), TOKEN)
    return Storage(client, limits=limits, **settings)  # pyright: ignore[reportArgumentType]


def fetch(storage: Storage, uri: str, to: Path, validator: str = "") -> Content | None:
    return storage.fetch(ImageRequest(storage.address(uri), 7, validator), to)


# --- whom to ask -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "route"),
    [
        ("/data/upload/3/1.jpg", "/data/upload/3/1.jpg"),
        ("/data/local-files/?d=cats/1.jpg", "/data/local-files/"),
        ("https://labels.test/data/local-files/?d=cats/1.jpg", "/data/local-files/"),
        ("s3://bucket/1.jpg", "/tasks/7/resolve/"),
    ],
)
def test_files_of_label_studio_are_fetched_with_the_token(
    label_studio: ImageServer, tmp_path: Path, uri: str, route: str
) -> None:
    label_studio.routes[route] = answer(200, IMAGE)
    storage = storage_of(label_studio, names=("https://labels.test",))
    received = fetch(storage, uri, tmp_path / "image")
    assert received and received.size == len(IMAGE)
    assert received.digest == hashlib.blake2b(IMAGE, digest_size=20).hexdigest()
    assert (tmp_path / "image").read_bytes() == IMAGE
    assert label_studio.asked[0][1]["Authorization"] == f"Token {TOKEN}"


def test_the_resolve_route_gets_the_address_in_base64(
    label_studio: ImageServer, tmp_path: Path
) -> None:
    label_studio.routes["/tasks/7/resolve/"] = answer(200, IMAGE)
    fetch(storage_of(label_studio), "gs://bucket/a b.jpg", tmp_path / "image")
    coded = base64.urlsafe_b64encode(b"gs://bucket/a b.jpg").decode()
    assert label_studio.asked[0][0] == f"/tasks/7/resolve/?fileuri={coded}"


def test_other_hosts_and_other_routes_never_see_the_token(
    label_studio: ImageServer, elsewhere: ImageServer, tmp_path: Path
) -> None:
    storage = storage_of(label_studio)
    for server in (label_studio, elsewhere):
        server.routes["/1.jpg"] = answer(200, IMAGE)
        fetch(storage, server.url("/1.jpg"), tmp_path / "image")
        assert "Authorization" not in server.asked[0][1]


def test_an_upload_of_another_host_is_fetched_there_without_the_token(
    label_studio: ImageServer, elsewhere: ImageServer, tmp_path: Path
) -> None:
    elsewhere.routes["/data/upload/3/1.jpg"] = answer(200, IMAGE)
    fetch(storage_of(label_studio), elsewhere.url("/data/upload/3/1.jpg"), tmp_path / "image")
    assert "Authorization" not in elsewhere.asked[0][1]
    assert not label_studio.asked


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("/label-studio/data/upload/4/3b0a-part.png", ()),
        ("/label-studio/data/upload/4/3b0a-part.png", ("https://tools.test/label-studio",)),
        (
            "https://tools.test/label-studio/data/upload/4/3b0a-part.png",
            ("https://tools.test/label-studio",),
        ),
    ],
)
def test_uploads_of_a_label_studio_under_a_path_are_fetched_behind_its_proxy(
    label_studio: ImageServer, tmp_path: Path, uri: str, names: tuple[str, ...]
) -> None:
    label_studio.routes["/data/upload/4/3b0a-part.png"] = answer(200, IMAGE)
    assert fetch(storage_of(label_studio, names=names), uri, tmp_path / "image")
    assert label_studio.asked[0][1]["Authorization"] == f"Token {TOKEN}"


def test_what_may_be_this_label_studio_under_another_name_says_which_setting_to_change(
    label_studio: ImageServer, elsewhere: ImageServer, tmp_path: Path
) -> None:
    uri = elsewhere.url("/studio/data/upload/4/1.png")
    with pytest.raises(FetchFailed) as failed:
        fetch(storage_of(label_studio), uri, tmp_path / "image")
    base = elsewhere.url("/studio")
    assert f"If {base} is this Label Studio, set LABEL_STUDIO_PUBLIC_URL to it" in failed.value.hint
    assert str(failed.value) == f"{uri}: {failed.value.fault}"


@pytest.mark.parametrize(
    ("status", "words"), [(403, "refuses programs"), (429, "AUTOLABEL_FETCH_WORKERS")]
)
def test_a_web_server_that_judges_who_asks_is_told_so(
    elsewhere: ImageServer, tmp_path: Path, status: int, words: str
) -> None:
    elsewhere.routes["/1.jpg"] = answer(status)
    with pytest.raises(FetchFailed) as failed:
        fetch(storage_of(elsewhere), elsewhere.url("/1.jpg"), tmp_path / "image")
    assert words in failed.value.hint
    assert "fetches the files" in elsewhere.asked[0][1]["User-Agent"]


def test_a_file_that_is_left_to_a_proxy_says_which_settings_to_change(
    label_studio: ImageServer, tmp_path: Path
) -> None:
    route = answer(200, b"", X_Accel_Redirect="/file_download/https/bucket.example/7/ab.png")
    label_studio.routes["/storage-data/uploaded/"] = route
    uri = "/storage-data/uploaded/?filepath=upload/7/ab.png"
    with pytest.raises(FetchFailed, match="proxy") as failed:
        fetch(storage_of(label_studio), uri, tmp_path / "image")
    assert "LABEL_STUDIO_URL" in failed.value.hint
    assert "USE_NGINX_FOR_UPLOADS=false" in failed.value.hint


def test_a_redirect_to_another_host_leaves_the_token_behind(
    label_studio: ImageServer, elsewhere: ImageServer, tmp_path: Path
) -> None:
    elsewhere.routes["/1.jpg"] = answer(200, IMAGE)
    label_studio.routes["/tasks/7/resolve/"] = redirect(elsewhere.url("/1.jpg?signature=x"))
    assert fetch(storage_of(label_studio), "s3://bucket/1.jpg", tmp_path / "image")
    assert "Authorization" in label_studio.asked[0][1]
    assert "Authorization" not in elsewhere.asked[0][1]


def test_a_foreign_host_cannot_make_us_use_the_token(
    label_studio: ImageServer, elsewhere: ImageServer, tmp_path: Path
) -> None:
    label_studio.routes["/data/upload/3/1.jpg"] = answer(200, IMAGE)
    elsewhere.routes["/1.jpg"] = redirect(label_studio.url("/data/upload/3/1.jpg"))
    fetch(storage_of(label_studio), elsewhere.url("/1.jpg"), tmp_path / "image")
    assert "Authorization" not in label_studio.asked[0][1]


def test_images_are_asked_for_whole(label_studio: ImageServer, tmp_path: Path) -> None:
    """Label Studio sends at most 8 MB of an object in a bucket to whoever asks for a range."""
    label_studio.routes["/tasks/7/resolve/"] = answer(200, IMAGE)
    assert fetch(storage_of(label_studio), "azure-blob://box/1.jpg", tmp_path / "image")
    assert "range" not in {name.lower() for name in label_studio.asked[0][1]}


def test_a_data_address_is_its_own_content(label_studio: ImageServer, tmp_path: Path) -> None:
    storage = storage_of(label_studio)
    coded = base64.b64encode(IMAGE).decode()
    for uri in (f"data:image/png;base64,{coded}", "data:,the%20content%20of%20an%20image"):
        fetch(storage, uri, tmp_path / "image")
        assert (tmp_path / "image").read_bytes() == IMAGE
    with pytest.raises(FetchFailed, match="base64"):
        fetch(storage, "data:image/png;base64,A", tmp_path / "image")
    assert not label_studio.asked


class _Bucket:
    """A bucket that holds one object, and a folder that nobody may read."""

    def covers(self, uri: str) -> bool:
        return uri.startswith("s3://bucket/") and "/secret/" not in uri

    def fetch(self, uri: str, to: Path, limits: Limits, validator: str) -> Content | None:
        assert self.covers(uri)
        if uri != "s3://bucket/1.jpg":
            raise FetchFailed("no such object")
        return save([IMAGE], to, limits.size)


def test_s3_is_read_directly_where_set_up_and_through_label_studio_else(
    label_studio: ImageServer, tmp_path: Path
) -> None:
    label_studio.routes["/tasks/7/resolve/"] = answer(200, b"through Label Studio")
    storage = storage_of(label_studio, s3=_Bucket())
    fetch(storage, "s3://bucket/1.jpg", tmp_path / "direct")
    assert (tmp_path / "direct").read_bytes() == IMAGE
    for missing in ("s3://bucket/2.jpg", "s3://bucket/secret/1.jpg", "gs://bucket/1.jpg"):
        fetch(storage, missing, tmp_path / "through")
        assert (tmp_path / "through").read_bytes() == b"through Label Studio"


# --- local files -------------------------------------------------------------------------------


def test_a_local_file_is_read_in_place_only_when_it_is_inside_the_folder(
    label_studio: ImageServer, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / "cats").mkdir(parents=True)
    (root / "cats" / "1.jpg").write_bytes(IMAGE)
    (tmp_path / "secret.jpg").write_bytes(IMAGE)
    (root / "leak.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "inner.jpg").symlink_to(root / "cats" / "1.jpg")
    (root / "loop.jpg").symlink_to(root / "loop.jpg")
    storage = storage_of(label_studio, local_root=root)

    def local(relative: str) -> str | None:
        found = storage.local(storage.address(f"/data/local-files/?d={relative}"), {})
        return found and found.path

    assert local("cats/1.jpg") == local("inner.jpg") == str(root / "cats" / "1.jpg")
    assert local("/../cats/1.jpg") == str(root / "cats" / "1.jpg")
    for outside in ("leak.jpg", "loop.jpg", "cats", "none.jpg", "a" * 300):
        assert local(outside) is None
    with pytest.raises(FetchFailed, match="not inside"):
        local("../secret.jpg")


def test_a_folder_whose_link_leads_out_is_not_followed_for_any_of_its_files(
    label_studio: ImageServer, tmp_path: Path
) -> None:
    for folder in ("root/cats", "outside"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(2):
            (tmp_path / folder / f"{number}.jpg").write_bytes(IMAGE)
    (tmp_path / "root" / "leak").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "kept").symlink_to(tmp_path / "root" / "cats")
    storage = storage_of(label_studio, local_root=tmp_path / "root")
    folders: dict[str, str] = {}

    def local(relative: str) -> str | None:
        found = storage.local(storage.address(f"/data/local-files/?d={relative}"), folders)
        return found and found.path

    for number in range(2):
        inside = tmp_path / "root" / "cats" / f"{number}.jpg"
        assert local(f"cats/{number}.jpg") == local(f"kept/{number}.jpg") == str(inside)
        assert local(f"leak/{number}.jpg") is None
        assert local(f"none/{number}.jpg") is None


def test_an_upload_is_read_in_place_only_when_it_is_inside_the_folder(
    label_studio: ImageServer, tmp_path: Path
) -> None:
    media = tmp_path / "media"
    (media / "upload" / "3").mkdir(parents=True)
    (media / "upload" / "3" / "a b.jpg").write_bytes(IMAGE)
    (tmp_path / "secret.jpg").write_bytes(IMAGE)
    (media / "upload" / "3" / "leak.jpg").symlink_to(tmp_path / "secret.jpg")
    storage = storage_of(label_studio, media_root=media)

    def local(uri: str) -> str | None:
        found = storage.local(storage.address(uri), {})
        return found and found.path

    found = str(media / "upload" / "3" / "a b.jpg")
    assert local("/data/upload/3/a%20b.jpg") == local("/data/upload/3/a b.jpg") == found
    assert local(label_studio.url("/data/upload/3/a%20b.jpg")) == found
    for outside in ("leak.jpg", "none.jpg", "..%2f..%2f..%2fsecret.jpg", "%00", "a" * 300):
        assert local(f"/data/upload/3/{outside}") is None
    assert local("/data/local-files/?d=upload/3/a b.jpg") is None, "that is another folder"
    assert storage_of(label_studio).local(storage.address("/data/upload/3/a b.jpg"), {}) is None


def test_an_empty_or_oversized_local_file_says_so(
    label_studio: ImageServer, tmp_path: Path
) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "large.jpg").write_bytes(bytes(LIMITS.size + 1))
    storage = storage_of(label_studio, local_root=tmp_path)
    for name, reason in (("empty.jpg", "empty"), ("large.jpg", "larger than")):
        with pytest.raises(FetchFailed, match=reason):
            storage.local(storage.address(f"/data/local-files/?d={name}"), {})


# --- what servers do ---------------------------------------------------------------------------


def test_a_server_that_stumbles_is_asked_again(elsewhere: ImageServer, tmp_path: Path) -> None:
    elsewhere.routes["/500"] = in_turn(answer(500), answer(200, IMAGE))
    elsewhere.routes["/429"] = in_turn(answer(429), answer(200, IMAGE))
    elsewhere.routes["/cut"] = in_turn(truncated(b"half"), answer(200, IMAGE))
    for path in elsewhere.routes:
        assert fetch(storage_of(elsewhere), elsewhere.url(path), tmp_path / "image")
        assert (tmp_path / "image").read_bytes() == IMAGE
        assert elsewhere.times_asked(path) == 2


@pytest.mark.parametrize(
    ("route", "reason", "attempts"),
    [
        (answer(404), "404 Not Found", 1),
        (answer(403), "403 Forbidden", 1),
        (answer(500), "500 Internal", 3),
        (answer(200), "empty", 1),
        (answer(200, b"<html>", Content_Type="text/html; charset=utf-8"), "web page", 1),
        (answer(200, bytes(LIMITS.size + 1)), "larger than", 1),
        (endless, "larger than", 1),
        (truncated(b"half"), "broke off", 3),
        (answer(200, IMAGE, Content_Encoding="gzip, gzip"), "Content-Encoding", 1),
        (redirect("ftp://a.example/1.jpg"), "ftp", 1),
        (redirect("/image"), "redirects", 6),
        (redirect("http://xn--/1.jpg"), "not an address", 1),
        (redirect("http://169.254.169.254/latest/meta-data/"), "credentials", 1),
        (answer(304), "304", 1),
    ],
)
def test_what_a_server_does_wrong_is_reported_with_a_hint_and_leaves_nothing(
    elsewhere: ImageServer, tmp_path: Path, route: object, reason: str, attempts: int
) -> None:
    elsewhere.routes["/image"] = route  # pyright: ignore[reportArgumentType]
    with pytest.raises(FetchFailed, match=reason) as failed:
        fetch(storage_of(elsewhere), elsewhere.url("/image?signature=secret"), tmp_path / "image")
    assert failed.value.hint
    assert elsewhere.url("/image: ") in failed.value.message
    assert "secret" not in str(failed.value)
    assert not list(tmp_path.iterdir())
    assert elsewhere.times_asked("/image") == attempts


@pytest.mark.parametrize("uri", ["http://xn--/1.jpg", "http://xn--a/", "http://127.0.0.1:x/1.jpg"])
def test_an_address_that_no_host_can_have_costs_one_image(
    label_studio: ImageServer, tmp_path: Path, uri: str
) -> None:
    with pytest.raises(FetchFailed, match="not an address"):
        fetch(storage_of(label_studio), uri, tmp_path / "image")


@pytest.mark.parametrize("route", [dripping, dripping_headers, silent])
@pytest.mark.timeout(50)
def test_a_slow_server_is_left_when_the_time_is_over(
    elsewhere: ImageServer, tmp_path: Path, route: object
) -> None:
    elsewhere.routes["/image"] = route  # pyright: ignore[reportArgumentType]
    with pytest.raises(FetchFailed, match="too slow"):
        fetch(storage_of(elsewhere, HASTE), elsewhere.url("/image"), tmp_path / "image")
    assert not list(tmp_path.iterdir())


@pytest.mark.timeout(50)
def test_a_fetch_ends_soon_after_it_is_cancelled(elsewhere: ImageServer, tmp_path: Path) -> None:
    elsewhere.routes["/image"] = dripping
    storage, cancelled = storage_of(elsewhere, Limits(seconds=60)), threading.Event()
    order = ImageRequest(storage.address(elsewhere.url("/image")), 7, cancelled=cancelled)
    threading.Timer(0.2, cancelled.set).start()
    with pytest.raises(FetchFailed, match="cancelled"):
        storage.fetch(order, tmp_path / "image")


def test_a_host_that_is_not_there_costs_one_image(
    label_studio: ImageServer, tmp_path: Path
) -> None:
    with pytest.raises(FetchFailed, match="cannot be reached"):
        fetch(storage_of(label_studio), "http://127.0.0.1:1/1.jpg", tmp_path / "image")


def test_a_label_studio_that_is_gone_costs_more_than_one_image(tmp_path: Path) -> None:
    storage = Storage(HttpClient("http://127.0.0.1:1", TOKEN), limits=LIMITS)
    with pytest.raises(Unreachable, match="cannot be reached"):
        fetch(storage, "/data/upload/3/1.jpg", tmp_path / "image")


def test_a_label_studio_that_comes_back_is_waited_for(
    label_studio: ImageServer, tmp_path: Path
) -> None:
    label_studio.routes["/data/upload/3/1.jpg"] = in_turn(*[answer(503)] * 4, answer(200, IMAGE))
    storage = storage_of(label_studio, patience=30)
    assert fetch(storage, "/data/upload/3/1.jpg", tmp_path / "image")


def test_the_proxy_of_the_environment_is_used_but_not_for_this_machine(
    elsewhere: ImageServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", elsewhere.url(""))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    elsewhere.routes["/1.jpg"] = answer(200, b"direct")
    elsewhere.routes["http://images.example/1.jpg"] = answer(200, b"through the proxy")
    storage = storage_of(elsewhere)
    fetch(storage, elsewhere.url("/1.jpg"), tmp_path / "direct")
    fetch(storage, "http://images.example/1.jpg", tmp_path / "proxied")
    assert (tmp_path / "direct").read_bytes() == b"direct"
    assert (tmp_path / "proxied").read_bytes() == b"through the proxy"


def test_an_unchanged_image_is_not_sent_again(elsewhere: ImageServer, tmp_path: Path) -> None:
    elsewhere.routes["/1.jpg"] = tagged(IMAGE, '"v1"')
    storage, url = storage_of(elsewhere), elsewhere.url("/1.jpg")
    received = fetch(storage, url, tmp_path / "image")
    assert received
    assert fetch(storage, url, tmp_path / "again", received.validator) is None
    elsewhere.routes["/1.jpg"] = tagged(b"another", '"v2"')
    assert fetch(storage, url, tmp_path / "again", received.validator)


def test_a_validator_that_cannot_be_sent_back_is_not_kept(
    elsewhere: ImageServer, tmp_path: Path
) -> None:
    elsewhere.routes["/1.jpg"] = answer(200, IMAGE, ETag='"ä"', Last_Modified="yesterday")
    received = fetch(storage_of(elsewhere), elsewhere.url("/1.jpg"), tmp_path / "image")
    assert received and received.validator == "If-Modified-Since: yesterday"


def test_a_server_that_limits_its_rate_is_asked_again_when_it_says(
    elsewhere: ImageServer, tmp_path: Path
) -> None:
    elsewhere.routes["/1.jpg"] = in_turn(answer(429, Retry_After="1"), answer(200, IMAGE))
    started = time.monotonic()
    assert fetch(storage_of(elsewhere), elsewhere.url("/1.jpg"), tmp_path / "image")
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("status", [429, 504])
def test_a_label_studio_that_is_busy_is_waited_for(
    label_studio: ImageServer, tmp_path: Path, status: int
) -> None:
    path = "/data/upload/3/1.jpg"
    label_studio.routes[path] = in_turn(*[answer(status)] * 4, answer(200, IMAGE))
    assert fetch(storage_of(label_studio, patience=30), path, tmp_path / "image")


def test_control_characters_of_an_address_are_escaped_in_messages(
    label_studio: ImageServer, tmp_path: Path
) -> None:
    uri = "http://127.0.0.1:1/a\nb\x1b[31m.jpg"
    with pytest.raises(FetchFailed) as failed:
        fetch(storage_of(label_studio), uri, tmp_path / "image")
    assert failed.value.message.isprintable()


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fd00:ec2::254",
        "fe80::1%eth0",
        "100.100.100.200",
    ],
)
def test_addresses_of_cloud_metadata_are_known(address: str) -> None:
    assert is_metadata(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "192.168.1.9", "fd12::1", "8.8.8.8"])
def test_private_and_public_addresses_stay_open(address: str) -> None:
    assert not is_metadata(address)


@pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "[::ffff:a9fe:a9fe]"])
def test_no_spelling_leads_to_cloud_metadata(
    label_studio: ImageServer, tmp_path: Path, host: str
) -> None:
    with pytest.raises(FetchFailed, match="credentials"):
        fetch(storage_of(label_studio), f"http://{host}/latest/meta-data", tmp_path / "image")


def test_a_full_disk_is_called_so(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(DiskFull) as failed:
        save([IMAGE], full, 100)
    assert str(tmp_path) in failed.value.message
    assert not full.is_symlink()


def test_a_web_host_that_restarts_is_waited_for(
    label_studio: ImageServer, elsewhere: ImageServer, tmp_path: Path
) -> None:
    elsewhere.routes["/1.jpg"] = in_turn(*[answer(503)] * 4, answer(200, IMAGE))
    storage = storage_of(label_studio, patience=30.0)

    assert fetch(storage, elsewhere.url("/1.jpg"), tmp_path / "file") is not None

    assert (tmp_path / "file").read_bytes() == IMAGE
