"""Posting where researchers say, and never into the network behind the site."""

import socket
import ssl
import time

import pytest

from collection.services import outgoing
from collection.services.outgoing import AddressError, NotDelivered, address_check, is_public, post, target_of
from tests.collection.receiver import Receiver

PUBLIC = "93.184.215.14"


@pytest.fixture
def receiver(settings):
    with Receiver() as receiver:
        settings.WEBHOOK_ALLOW = [receiver.authority]
        yield receiver


@pytest.fixture
def names(monkeypatch):
    """What names lead to: a list for each, or a list of lists for one that changes its mind."""
    known = {}
    real = socket.getaddrinfo

    def found(host, port, *args, **options):
        if host not in known:
            return real(host, port, *args, **options)
        answers = known[host]
        if isinstance(answers[0], list):
            answers = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in answers]

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", found)
    return known


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "192.88.99.1", "168.63.129.16",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1",
        "2002:7f00:1::", "2001::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "fec0::1",
    ],
)  # fmt: skip
def test_addresses_that_lead_inside_are_known(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", PUBLIC, "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"])
def test_addresses_of_the_internet_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1", "0",
        "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
        "169.254.169.254", "localhost", "LOCALHOST", "localhost.",
    ],
)  # fmt: skip
def test_no_way_of_writing_it_leads_to_this_machine(host):
    for send in (address_check, lambda address: post(address, b"", {})):
        with pytest.raises(AddressError, match=r"inside a network|cannot be found|no host's name"):
            send(f"https://{host}/")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "space, a backslash"),
        ("example.org", "begin with https"),
        ("ftp://example.org/", "begin with https"),
        ("file:///etc/passwd", "begin with https"),
        ("http://example.org/", "begin with https"),
        ("https:///path", "no host's name"),
        ("https://user:word@example.org/", "name or password"),
        ("https://example.org@127.0.0.1/", "name or password"),
        ("https://example.org:22/", "Port 22"),
        ("https://example.org:0/", "Port 0"),
        ("https://example.org:99999/", "cannot be read"),
        ("https://example.org/#part", "behind #"),
        ("https://example.org\\@127.0.0.1/", "backslash"),
        ("https://example.org/ x", "space"),
        ("https://example.org/\r\nHost: inside", "space"),
        ("https://exa\tmple.org/", "space"),
        ("https://ex%61mple.org/", "no host's name"),
        ("https://①②⑦.⓪.⓪.①/", "beyond ASCII"),
        ("https://[::1%25eth0]/", "cannot be read|no host's name"),
        ("https://[oops]/", "cannot be read|no host's name"),
        (f"https://example.org/{'x' * 500}", "longer than"),
    ],
)
def test_what_is_no_plain_public_address_is_refused_with_the_reason(settings, address, words):
    settings.DEBUG = False
    with pytest.raises(AddressError, match=words):
        target_of(address)


def test_http_is_for_trying_things_out(settings):
    settings.DEBUG = True
    assert target_of("http://example.org/a?b=c") == outgoing.Target("http", "example.org", 80, "/a?b=c")


def test_a_name_that_leads_inside_is_refused_even_beside_an_address_outside(names):
    names["tricky.example"] = [PUBLIC, "127.0.0.1"]
    with pytest.raises(AddressError, match=r"tricky\.example is 127\.0\.0\.1, which is inside"):
        address_check("https://tricky.example/")


def test_a_name_that_changes_its_mind_after_the_check_is_not_followed(names):
    """DNS rebinding: outside when the address is saved, inside when it is sent to."""
    names["turns.example"] = [[PUBLIC], ["127.0.0.1"]]
    address_check("https://turns.example/")
    with pytest.raises(AddressError, match="inside a network"):
        post("https://turns.example/", b"", {})


def test_the_connection_goes_to_the_address_that_was_checked_and_the_name_is_asked_once(names, monkeypatch):
    """Whatever a second look-up would say; the certificate is still the name's."""
    names["turns.example"] = [[PUBLIC], ["127.0.0.1"]]
    dialled = []

    def dial(self, host, port, **options):
        dialled.append((host, port))
        raise outgoing.httpcore.ConnectError("nobody there")

    monkeypatch.setattr(outgoing.httpcore.SyncBackend, "connect_tcp", dial)
    with pytest.raises(NotDelivered, match="nobody there"):
        post("https://turns.example/", b"", {})
    assert dialled == [(PUBLIC, 443)]


def test_the_certificate_is_checked_by_the_name_not_by_the_address(names, monkeypatch):
    names["named.example"] = [PUBLIC]
    asked = []

    class Stream(outgoing.httpcore.NetworkStream):
        def start_tls(self, ssl_context, server_hostname=None, timeout=None):
            asked.append((server_hostname, ssl_context.check_hostname, ssl_context.verify_mode))
            raise outgoing.httpcore.ConnectError("enough")

        def close(self):
            pass

    monkeypatch.setattr(outgoing.httpcore.SyncBackend, "connect_tcp", lambda *args, **options: Stream())
    with pytest.raises(NotDelivered, match="enough"):
        post("https://named.example/", b"", {})
    assert asked == [("named.example", True, ssl.CERT_REQUIRED)]


def test_an_allowed_receiver_gets_the_body_and_its_own_name(receiver):
    reply = post(receiver.address, b'{"a": 1}', {"webhook-id": "msg_1"})
    assert reply.status == 204
    (path, headers, body) = receiver.got[0]
    assert (path, body) == ("/hook?from=tonalist", b'{"a": 1}')
    assert headers["Host"] == receiver.authority
    assert headers["webhook-id"] == "msg_1"


def test_what_is_allowed_is_that_port_only(receiver, settings):
    with pytest.raises(AddressError):
        post(f"http://127.0.0.1:{receiver.server.server_port + 1}/", b"", {})
    settings.WEBHOOK_ALLOW = []
    with pytest.raises(AddressError):
        post(receiver.address, b"", {})
    assert receiver.got == []


def test_a_redirect_into_the_network_is_an_answer_and_no_way(receiver):
    receiver.replies = [(302, {"Location": "http://169.254.169.254/latest/"}, b"")]
    assert post(receiver.address, b"", {}).status == 302
    assert len(receiver.got) == 1


def test_proxies_of_the_environment_are_not_asked(receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    assert post(receiver.address, b"", {}).status == 204


def test_a_long_reply_is_read_as_far_as_it_is_kept(receiver):
    receiver.replies = [(500, {}, b"\x00no\xff " + b"x" * 1_000_000)]
    reply = post(receiver.address, b"", {})
    assert reply.status == 500
    assert reply.text.startswith("�no� xxx")
    assert len(reply.text) == outgoing.KEPT_OF_REPLY


def test_a_long_reply_whose_body_comes_after_its_headers_is_read_as_well(receiver):
    def in_two_pieces(wfile):
        wfile.write(b"HTTP/1.1 500 No\r\nContent-Length: 1000000\r\n\r\n")
        wfile.flush()
        time.sleep(0.2)
        wfile.write(b"x" * 1_000_000)

    receiver.replies = [in_two_pieces]
    assert post(receiver.address, b"", {}).text == "x" * outgoing.KEPT_OF_REPLY


def test_endless_headers_are_not_read_to_their_end(receiver):
    def endless(wfile):
        wfile.write(b"HTTP/1.1 200 OK\r\n")
        for n in range(100_000):
            wfile.write(b"X-%d: %s\r\n" % (n, b"x" * 100))

    receiver.replies = [endless]
    with pytest.raises(NotDelivered):
        post(receiver.address, b"", {})


def test_a_reply_that_drips_ends_at_the_deadline(receiver, monkeypatch):
    monkeypatch.setattr(outgoing, "SECONDS", 0.3)

    def drips(wfile):
        wfile.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(20):
            time.sleep(0.1)
            wfile.write(b"X: x\r\n")
            wfile.flush()

    receiver.replies = [drips]
    with pytest.raises(NotDelivered, match="No whole reply"):
        post(receiver.address, b"", {})


def test_no_reply_at_all_is_said(settings):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        authority = f"127.0.0.1:{nobody.getsockname()[1]}"
    settings.WEBHOOK_ALLOW = [authority]
    with pytest.raises(NotDelivered, match="connection failed"):
        post(f"http://{authority}/", b"", {})
