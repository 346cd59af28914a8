"""TLS without sockets: sessions as bytes in and out, certificates as files."""

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from gateway.errors import ConfigError
from gateway.tls import UNREAD_ANSWERS, Certificate, TlsSession, check
from tests.tls_peers import Certificates, Pair, TlsClient, introduce

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@pytest.fixture
def session(certificates: Certificates) -> TlsSession:
    return TlsSession(certificates.certificate().for_terminals())


@pytest.fixture
def client(certificates: Certificates, session: TlsSession) -> TlsClient:
    client = TlsClient(certificates.trust())
    introduce(client, session)
    return client


def pieces(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@VERSIONS
def test_a_conversation_may_be_cut_at_every_byte(certificates: Certificates, version: ssl.TLSVersion) -> None:
    session = TlsSession(certificates.certificate().for_terminals())
    client = TlsClient(certificates.trust(minimum_version=version, maximum_version=version))
    data, complete = client.begin(), False
    while not complete:
        complete = [session.shake_hands(piece) for piece in pieces(data)][-1]
        for piece in pieces(session.take()):
            client.takes(piece)
        data = client.output()
    for piece in pieces(data):  # in TLS 1.2 nothing
        session.feed(piece)

    heard = [session.feed(piece) for piece in pieces(client.says(b"one\n") + client.says(b"two\n") + client.leaves())]
    session.write(b"three\n")
    session.leave()

    assert b"".join(heard) == b"one\ntwo\n" and session.ended
    assert b"".join(client.takes(piece) for piece in pieces(session.take())) == b"three\n"
    assert client.ended


def test_all_records_that_came_at_once_are_returned(session: TlsSession, client: TlsClient) -> None:
    text = os.urandom(200_000)

    assert session.feed(client.says(text)) == text
    assert not session.ended


def test_what_came_with_the_handshake_is_not_forgotten(certificates: Certificates, session: TlsSession) -> None:
    client = TlsClient(certificates.trust())
    session.shake_hands(client.begin())
    client.takes(session.take())

    assert session.shake_hands(client.output() + client.says(b"at once\n") + client.leaves())
    assert session.feed(b"") == b"at once\n"
    assert session.ended


def test_text_before_a_record_that_was_tampered_with_counts(session: TlsSession, client: TlsClient) -> None:
    good, bad = client.says(b"good\n"), bytearray(client.says(b"bad\n"))
    bad[-1] ^= 1

    assert session.feed(good + bad) == b"good\n"
    with pytest.raises(ssl.SSLError):
        session.feed(b"")


def test_a_peer_that_has_half_closed_gets_what_it_is_owed(session: TlsSession, client: TlsClient) -> None:
    session.feed(client.leaves())
    session.write(b"owed\n")

    assert session.ended
    assert client.takes(session.take()) == b"owed\n"


def test_leaving_with_text_unread_is_no_error(session: TlsSession, client: TlsClient) -> None:
    session._from_peer.write(client.says(b"unread"))
    session.leave()
    session.leave()

    assert client.takes(session.take()) == b""
    assert client.ended


def test_what_is_half_sent_stays_as_it_is(session: TlsSession, client: TlsClient) -> None:
    session.write(b"first")
    whole = session.outgoing
    session.sent(5)
    session.write(b"second")

    assert session.outgoing.startswith(whole[5:])
    assert client.takes(whole[:5] + session.take()) == b"firstsecond"


def test_a_peer_cannot_fill_the_memory_with_answers_it_does_not_read(session: TlsSession, client: TlsClient) -> None:
    session._to_peer.write(b"x" * (UNREAD_ANSWERS + 1))
    data = client.says(b"and more")

    assert session.feed(data) == b"and more"
    with pytest.raises(ssl.SSLError):
        session.feed(b"")


def test_no_tickets_are_sent_and_browsers_speak_http(certificates: Certificates) -> None:
    certificate = certificates.certificate()
    trust = certificates.trust()
    trust.set_alpn_protocols(["h2", "http/1.1"])
    client, session = TlsClient(trust), TlsSession(certificate.for_web())
    introduce(client, session)

    assert client.object.selected_alpn_protocol() == "http/1.1"
    assert certificate.for_terminals().num_tickets == certificate.for_web().num_tickets == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused_with_an_alert(
    certificates: Certificates, session: TlsSession, version: ssl.TLSVersion
) -> None:
    trust = certificates.trust(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=version)
    trust.set_ciphers("ALL:@SECLEVEL=0")

    with pytest.raises(ssl.SSLError):
        session.shake_hands(TlsClient(trust).begin())
    assert session.outgoing[:1] == b"\x15"


# The files


def refused(cert: Path, key: Path | None = None) -> str:
    with pytest.raises(ConfigError) as problem:
        Certificate(cert, key)
    (line,) = str(problem.value).splitlines()
    return line


def test_a_file_that_is_missing_is_named(certificates: Certificates, tmp_path: Path) -> None:
    cert, key = certificates.pair

    assert (
        refused(tmp_path / "none.pem", key) == f"tls_cert: cannot read {tmp_path}/none.pem: No such file or directory"
    )
    assert (
        refused(cert, tmp_path / "none.key") == f"tls_key: cannot read {tmp_path}/none.key: No such file or directory"
    )
    assert "Is a directory" in refused(tmp_path, key)


def test_files_that_are_something_else_are_told_apart(certificates: Certificates) -> None:
    cert, key = certificates.pair

    assert refused(key, cert) == f"tls_cert: no certificate in {key} (PEM, from -----BEGIN to -----END)"
    assert refused(cert, cert).startswith(f"tls_key: no key in {cert}")
    assert "tls_key names no other file" in refused(cert)


def test_the_key_of_another_certificate_is_refused(certificates: Certificates) -> None:
    other = certificates.issue("other")

    assert "is not the key of the first certificate" in refused(certificates.pair.cert, other.key)


def test_a_chain_in_the_wrong_order_is_refused(certificates: Certificates, tmp_path: Path) -> None:
    middle = certificates.issuer.create_child_ca()
    pair = certificates.issue("chained", issuer=middle)
    own, _, rest = pair.cert.read_bytes().partition(b"-----END CERTIFICATE-----\n")
    wrong = tmp_path / "wrong.pem"
    wrong.write_bytes(rest + own + b"-----END CERTIFICATE-----\n")

    assert "comes first there" in refused(wrong, pair.key)
    introduce(TlsClient(certificates.trust()), TlsSession(Certificate(*pair).for_web()))


def test_an_encrypted_key_is_refused_with_what_to_do(certificates: Certificates, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(certificates.pair.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    secret = serialization.BestAvailableEncryption(b"secret")
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked.write_bytes(key.private_bytes(pem, form, secret))

    assert f"{locked} is encrypted" in refused(certificates.pair.cert, locked)


def test_garbage_between_the_marks_is_refused(certificates: Certificates, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n")

    assert refused(bad, certificates.pair.key).startswith("tls_cert, tls_key: OpenSSL rejects")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_one_file_may_hold_both(certificates: Certificates, tmp_path: Path, end: bytes) -> None:
    both = tmp_path / "both.pem"
    words = "# Grüße\n".encode() + b"".join(each.read_bytes() for each in certificates.pair)
    both.write_bytes(words.replace(b"\r", b"").replace(b"\n", end))
    both.chmod(0o600)

    introduce(TlsClient(certificates.trust()), TlsSession(Certificate(both, None).for_web()))


def issue_for(certificates: Certificates, name: str, begin: timedelta, end: timedelta) -> Pair:
    now = datetime.now(UTC)
    made = certificates.issuer.issue_cert("localhost", not_before=now + begin, not_after=now + end)
    pair = Pair(certificates.folder / f"{name}.pem", certificates.folder / f"{name}.key")
    pair.cert.write_bytes(made.cert_chain_pems[0].bytes())
    pair.key.write_bytes(made.private_key_pem.bytes())
    pair.key.chmod(0o600)
    return pair


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [(-9, -1, "certificate has expired"), (1, 9, "certificate is not yet valid")],
)
def test_a_certificate_that_no_client_accepts_is_served_and_told_of(
    certificates: Certificates, caplog: pytest.LogCaptureFixture, begin: int, end: int, words: str
) -> None:
    pair = issue_for(certificates, f"from{begin}", timedelta(days=begin), timedelta(days=end))
    Certificate(*pair)

    assert [each.getMessage() for each in caplog.records] == [
        f"clients will not accept the certificate in {pair.cert}: {words}"
    ]


def test_a_key_that_everybody_can_read_is_told_of(certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    pair = certificates.issue("open")
    pair.key.chmod(0o644)
    Certificate(*pair)

    assert [each.getMessage() for each in caplog.records] == [
        f"everybody on this machine can read the key of the certificate: chmod o-r {pair.key}"
    ]


@pytest.mark.parametrize("kind", list(trustme.KeyType))
def test_a_good_pair_is_nothing_to_tell_of(
    certificates: Certificates, caplog: pytest.LogCaptureFixture, kind: trustme.KeyType
) -> None:
    pair = certificates.issue(kind.name, kind)
    introduce(TlsClient(certificates.trust()), TlsSession(Certificate(*pair).for_web()))

    assert not caplog.records


# Reloading


class Named:
    """The settings that name the files."""

    def __init__(self, tls_cert: Path | None, tls_key: Path | None) -> None:
        self.tls_cert = tls_cert
        self.tls_key = tls_key


def serial(certificates: Certificates, certificate: Certificate) -> object:
    client = TlsClient(certificates.trust())
    introduce(client, TlsSession(certificate.for_web()))
    return (client.object.getpeercert() or {})["serialNumber"]


def test_newcomers_get_what_was_read_again(certificates: Certificates) -> None:
    pair = certificates.issue("renewed")
    certificate = Certificate(*pair)
    old, before = certificate.for_terminals(), serial(certificates, certificate)
    certificates.issue("renewed")
    certificate.reload(Named(*pair))

    assert serial(certificates, certificate) != before
    introduce(TlsClient(certificates.trust()), TlsSession(old))


def test_a_bad_new_certificate_keeps_the_old_one(
    certificates: Certificates, caplog: pytest.LogCaptureFixture, expected_errors: list[str]
) -> None:
    expected_errors.append("the certificate stays as it is")
    pair = certificates.issue("half-renewed")
    certificate = Certificate(*pair)
    before = serial(certificates, certificate)
    pair.cert.write_bytes(certificates.pair.cert.read_bytes())  # the key follows a moment later, as tools do it
    certificate.reload(Named(*pair))

    assert serial(certificates, certificate) == before
    assert "is not the key of the first certificate" in caplog.text


def test_tls_does_not_end_while_the_gateway_runs(certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    certificate = certificates.certificate()
    certificate.reload(Named(None, None))

    assert "a restart is needed" in caplog.text
    assert certificate.for_web()


def test_the_check_of_settings_without_tls_is_nothing(certificates: Certificates) -> None:
    assert check(Named(None, None)) == 0
    assert check(Named(*certificates.pair)) == 0
    with pytest.raises(ConfigError):
        check(Named(certificates.pair.key, None))
