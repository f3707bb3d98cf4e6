"""Which servers are this machine's own, and which proxy is asked for the others."""

import pytest

from subgoal.connections.server_access import Access, is_here, proxy_for, shown
from subgoal.errors import ConfigInvalid


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.10", "127.1", "localhost", "LOCALHOST.", "a.localhost", "::1",
             "::ffff:127.0.0.1", "0.0.0.0", "::"]
)  # fmt: skip
def test_this_machine_needs_no_proxy(host, monkeypatch):
    monkeypatch.setenv("all_proxy", "http://proxy:3128")
    assert is_here(host)
    literal = f"[{host}]" if ":" in host else host
    assert proxy_for(f"http://{literal}:8000/v1") is None


@pytest.mark.parametrize("host", ["128.0.0.1", "example.org", "localhost.org", "10.0.0.1", "::2"])
def test_others_have_one(host, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5h://proxy:1080")
    literal = f"[{host}]" if ":" in host else host
    proxy = proxy_for(f"https://{literal}/v1")
    assert proxy is not None
    assert (proxy.variable, proxy.url) == ("ALL_PROXY", "socks5h://proxy:1080")
    monkeypatch.setenv("https_proxy", "proxy:3128")
    proxy = proxy_for(f"https://{literal}/v1")
    assert proxy is not None
    assert (proxy.variable, proxy.url) == ("https_proxy", "http://proxy:3128")


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("https://h/v1/", "https://h/v1"),
        ("https://u:p@h:1/v1?key=s#f", "https://h:1/v1"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_base_url_is_shown_without_secrets(url, seen):
    assert shown(url) == seen


def test_a_password_is_read_from_the_environment_or_as_it_is_encoded(monkeypatch):
    monkeypatch.setenv("MY_PASSWORD", "a@b")
    one = Access.of("http://me:$MY_PASSWORD@h/v1", "url", "", {})
    two = Access.of("http://me:a%40b@h/v1", "url", "", {})
    assert one.headers == two.headers == {"authorization": "Basic bWU6YUBi"}
    assert one.url == "http://h/v1"
    with pytest.raises(ConfigInvalid, match="MISSING"):
        Access.of("http://h/v1?key=$MISSING", "url", "", {})


@pytest.mark.parametrize("letter", ["%0A", "%0d", "%00", "%7F", "%C2%85"])
@pytest.mark.parametrize(
    "url", ["http://me:a{}b@h/v1", "http://m{}e:ab@h/v1", "http://h/?key=a{}b"]
)
def test_a_control_character_in_a_part_of_an_address_is_refused(url, letter):
    with pytest.raises(ConfigInvalid, match="url"):
        Access.of(url.format(letter), "url", "", {})


def test_a_line_feed_of_the_environment_is_refused_in_an_address(monkeypatch):
    monkeypatch.setenv("MY_PASSWORD", "a-b\n")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:a%0Ab@proxy:3128")
    with pytest.raises(ConfigInvalid, match="password"):
        Access.of("http://me:$MY_PASSWORD@h/v1", "url", "", {})
    with pytest.raises(ConfigInvalid, match="HTTPS_PROXY"):
        proxy_for("https://example.org/v1")
