"""Proxies and certificates between us and Label Studio, as companies have them."""

import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from connectors.certificates import share
from connectors.errors import Denied, FetchFailed, Rejected
from connectors.http import HttpClient
from connectors.images.content import Content, Limits
from connectors.images.storage import ImageRequest, Storage
from tests.fakes.http_server import FakeHttpServer, Reply

TOKEN = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for this machine that no usual authority signed, and its key."""
    folder = tmp_path_factory.mktemp("authority")
    certificate, key = folder / "ca.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run([*command, *names, *files], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return certificate, key


@pytest.fixture
def secure(authority: tuple[Path, Path]) -> Iterator[str]:
    """The address of a server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority)
    with FakeHttpServer(lambda _: Reply(body={"release": "1.23.2"}), context) as server:
        yield server.url.replace("http:", "https:")


def fetch(client: HttpClient, uri: str, to: Path) -> Content | None:
    storage = Storage(client, limits=Limits(60))
    return storage.fetch(ImageRequest(storage.address(uri), 1), to / "image")


def test_a_certificate_that_is_not_trusted_is_called_so(secure: str, tmp_path: Path) -> None:
    client = HttpClient(secure, TOKEN)
    with pytest.raises(Rejected, match="certificate") as refused:
        client.request_json("GET", "/api/version")
    assert "AUTOLABEL_CA_BUNDLE" in refused.value.hint
    with pytest.raises(FetchFailed, match="certificate") as failed:
        fetch(client, "/data/upload/3/1.jpg", tmp_path)
    assert "AUTOLABEL_CA_BUNDLE" in failed.value.hint


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_authorities_of_the_usual_variables_are_trusted(
    secure: str, authority: tuple[Path, Path], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(authority[0]))
    assert HttpClient(secure, TOKEN).request_json("GET", "/api/version")


def test_authorities_of_our_setting_are_trusted_by_api_and_images(
    secure: str, authority: tuple[Path, Path], tmp_path: Path
) -> None:
    client = HttpClient(secure, TOKEN, ca_bundle=authority[0])
    assert client.request_json("GET", "/api/version")
    assert fetch(client, "/data/upload/3/1.jpg", tmp_path)


LIBRARIES = """
import sys, urllib.request, httpx, requests
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.session import get_session

bundle = get_session().get_config_variable("ca_bundle")  # as boto3 chooses it
print(urllib.request.urlopen(sys.argv[1]).status)  # as torch.hub downloads
print(requests.get(sys.argv[1]).status_code)  # as Ultralytics does
print(httpx.get(sys.argv[1]).status_code)  # as the Hugging Face hub does
request = AWSRequest("GET", sys.argv[1]).prepare()
print(URLLib3Session(verify=bundle).send(request).status_code)
"""


@pytest.mark.parametrize("variable", ["AUTOLABEL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_one_setting_serves_all_libraries(
    secure: str, authority: tuple[Path, Path], tmp_path: Path, variable: str
) -> None:
    ours = variable.startswith("AUTOLABEL")
    environment = {**os.environ, "NO_PROXY": "*", variable: str(authority[0])}
    share(authority[0] if ours else None, tmp_path / "certificates", environment)
    command = [sys.executable, "-c", LIBRARIES, secure]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["200"] * 4, done.stderr


def test_authorities_that_are_shared_are_not_shared_again(
    authority: tuple[Path, Path], tmp_path: Path
) -> None:
    environment = dict[str, str]()
    share(None, tmp_path, environment)
    assert environment == {}
    share(authority[0], tmp_path, environment)
    of_parent = dict(environment)
    share(authority[0], tmp_path, environment)
    assert environment == of_parent
    (bundle,) = tmp_path.iterdir()
    assert set(environment.values()) == {str(bundle)}
    assert authority[0].read_text().strip() in bundle.read_text()


def test_a_folder_of_authorities_is_shared_too(
    secure: str, authority: tuple[Path, Path], tmp_path: Path
) -> None:
    environment = {"SSL_CERT_DIR": str(authority[0].parent)}
    share(None, tmp_path, environment)
    context = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"])
    with urllib.request.urlopen(secure, context=context) as answer:
        assert answer.status == 200


def test_a_bundle_that_is_none_names_its_setting(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(Rejected, match="AUTOLABEL_CA_BUNDLE"):
        HttpClient("https://labels.example", ca_bundle=tmp_path / "ca.pem")
    with pytest.raises(Rejected, match="AUTOLABEL_CA_BUNDLE"):
        share(tmp_path / "ca.pem", tmp_path, {})


@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:7890/", "socks5://127.0.0.1:1080"])
@pytest.mark.parametrize("variable", ["all_proxy", "ALL_PROXY"])
def test_a_local_label_studio_is_reached_whatever_a_desktop_sets(
    proxy: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy)
    with FakeHttpServer(lambda _: Reply(body={"is": "there"})) as server:
        assert HttpClient(server.url, TOKEN).request_json("GET", "/") == {"is": "there"}


@pytest.mark.skipif(find_spec("socksio") is not None, reason="socksio is installed")
def test_a_socks_proxy_without_its_package_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1080")
    client = HttpClient("http://labels.example", TOKEN)
    with pytest.raises(Rejected, match="cannot be used") as refused:
        client.request_json("GET", "/")
    assert "httpx[socks]" in refused.value.hint
    with pytest.raises(FetchFailed, match="cannot be used"):
        fetch(client, "http://a.example/1.jpg", tmp_path)


@pytest.mark.parametrize("status", [403, 407])
def test_a_refusal_of_the_proxy_is_told_as_the_proxys(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Reply(status, b"<html>Access denied</html>", {"Content-Type": "text/html"})
    with FakeHttpServer(lambda _: page) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "http://me:secret@"))
        client = HttpClient("http://labels.example", TOKEN)
        with pytest.raises(Rejected, match=f"the proxy .* answered {status}") as refused:
            client.request_json("GET", "/api/version")
        with pytest.raises(FetchFailed, match=f"the proxy .* answered {status}"):
            fetch(client, "http://images.example/1.jpg", tmp_path)
    assert "NO_PROXY" in refused.value.hint
    assert "secret" not in str(refused.value)


def test_a_refusal_of_label_studio_behind_a_proxy_stays_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FakeHttpServer(lambda _: Reply(403, {"detail": "no permission"})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with pytest.raises(Denied, match="no permission"):
            HttpClient("http://labels.example", TOKEN).request_json("GET", "/api/version")


def test_a_tunnel_that_the_proxy_does_not_open_is_told_as_the_proxys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeHttpServer(lambda _: Reply(407)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        client = HttpClient("https://labels.example", TOKEN)
        with pytest.raises(Rejected, match=r"the proxy refused the connection .*407"):
            client.request_json("GET", "/api/version")
        with pytest.raises(FetchFailed, match=r"the proxy refused the connection .*407"):
            fetch(client, "https://images.example/1.jpg", tmp_path)
