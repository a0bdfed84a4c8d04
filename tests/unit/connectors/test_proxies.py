import pytest

from connectors.errors import Rejected
from connectors.proxies import Proxies, shown

PROXY = "http://proxy.example:3128"


def test_a_proxy_is_chosen_by_scheme_and_all_proxy_is_for_the_rest() -> None:
    proxies = Proxies({"https": PROXY, "all": "http://other.example:8080"})
    assert proxies.of("https", "images.example") == PROXY
    assert proxies.of("http", "images.example") == "http://other.example:8080"
    assert Proxies({}).of("https", "images.example") == ""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1", "LOCALHOST"])
@pytest.mark.parametrize("proxy", [PROXY, "socks://127.0.0.1:7890/", "quic://proxy.example"])
def test_this_machine_is_never_asked_through_a_proxy(host: str, proxy: str) -> None:
    assert Proxies({"all": proxy}).of("http", host, 8080) == ""


@pytest.mark.parametrize(
    ("no_proxy", "host", "is_direct"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8,192.168.0.0/16", "192.168.7.7", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "images.example", False),
        ("fd00::/8", "fd00::7", True),
        ("10.0.0.7", "10.0.0.7", True),
        (".corp.example", "labels.corp.example", True),
        ("corp.example", "labels.corp.example", True),
        ("*.corp.example", "labels.corp.example", True),
        ("corp.example", "notcorp.example", False),
        ("192.168.*", "192.168.7.7", True),
        ("192.168.*", "192.169.7.7", False),
        ("labels.example:8080", "labels.example", True),
        ("labels.example:9090", "labels.example", False),
        ("a.example b.example", "b.example", True),
        ("*", "anything.example", True),
        ("", "anything.example", False),
        ("Labels.Example", "labels.example", True),
    ],
)
def test_no_proxy_names_hosts_domains_and_networks(
    no_proxy: str, host: str, is_direct: bool
) -> None:
    proxy = Proxies({"http": PROXY, "no": no_proxy}).of("http", host, 8080)
    assert (proxy == "") == is_direct


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("proxy.example:3128", PROXY),
        ("socks://127.0.0.1:7890/", "socks5://127.0.0.1:7890/"),
        ("socks5h://127.0.0.1:7890", "socks5h://127.0.0.1:7890"),
    ],
)
def test_a_proxy_may_be_written_as_desktops_and_people_write_it(given: str, used: str) -> None:
    assert Proxies({"all": given}).of("http", "images.example") == used


def test_a_proxy_of_another_kind_is_named_without_its_password() -> None:
    proxies = Proxies({"all": "socks4://me:secret@proxy.example"})
    with pytest.raises(Rejected, match=r"socks4://proxy\.example cannot be used") as refused:
        proxies.of("http", "images.example")
    assert "NO_PROXY" in refused.value.hint
    assert "secret" not in str(refused.value)
    assert shown("http://me:secret@proxy.example:1") == "http://proxy.example:1"
