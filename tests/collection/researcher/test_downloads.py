"""Datasets as downloads: whole, in parts, file by file."""

import hashlib
import io
import subprocess
import tarfile

import pytest
from django.test import RequestFactory
from django.urls import reverse

from collection.downloads import Unsatisfiable, byte_range, download_response
from collection.export.archive import Archive
from collection.export.manifest import MANIFEST, ManifestError, manifest_faults, manifest_read
from collection.models import AuditEntry, Membership, Role
from tests.collection.export import small
from tests.factories import make_export, make_researcher, make_study

TEXT = bytes(range(256)) * 4
FACTORY = RequestFactory()


def asked(method="get", **headers):
    request = getattr(FACTORY, method)(
        "/", headers={name.replace("_", "-"): v for name, v in headers.items()}
    )
    return download_response(
        request,
        read=lambda start, stop: iter([TEXT[start:stop]]),
        size=len(TEXT),
        etag='"one"',
        file_name="säm.bin",
        content_type="application/x-tar",
    )


def body(reply):
    return b"".join(reply.streaming_content) if reply.streaming else reply.content


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=5-", (5, 100)),
        ("bytes=5-1000", (5, 100)),
        (f"bytes=0-{10**30}", (0, 100)),
        (f"bytes=-{10**30}", (0, 100)),
        (f"bytes=0-{'0' * 5000}7", (0, 8)),
        ("bytes=-7", (93, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=7-5", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=a-b", None),
        ("", None),
    ],
)
def test_a_range_is_read_or_ignored(header, part):
    assert byte_range(header, 100) == part


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=" + "9" * 4000 + "-"])
def test_a_range_behind_the_end_cannot_be_had(header):
    with pytest.raises(Unsatisfiable):
        byte_range(header, 100)


def test_without_a_range_it_is_the_whole():
    reply = asked()
    assert (reply.status_code, body(reply)) == (200, TEXT)
    assert reply["Content-Length"] == "1024"
    assert reply["Accept-Ranges"] == "bytes"
    assert reply["ETag"] == '"one"'
    assert reply["X-Content-Type-Options"] == "nosniff"
    assert reply["Content-Disposition"] == "attachment; filename*=utf-8''s%C3%A4m.bin"


def test_a_part_says_where_it_belongs():
    reply = asked(Range="bytes=1000-2000")
    assert (reply.status_code, body(reply)) == (206, TEXT[1000:])
    assert (reply["Content-Range"], reply["Content-Length"]) == ("bytes 1000-1023/1024", "24")


def test_a_part_of_another_file_is_not_given():
    assert asked(Range="bytes=5-", If_Range='"one"').status_code == 206
    for other in ('"two"', 'W/"one"', "Sat, 21 Nov 2026 10:00:00 GMT"):
        assert (reply := asked(Range="bytes=5-", If_Range=other)).status_code == 200
        assert body(reply) == TEXT


def test_behind_the_end_is_416_with_the_size():
    reply = asked(Range="bytes=1024-")
    assert (reply.status_code, reply["Content-Range"]) == (416, "bytes */1024")


def test_a_head_has_the_size_and_no_body():
    reply = asked("head", Range="bytes=5-")
    assert (reply.status_code, reply["Content-Length"], body(reply)) == (200, "1024", b"")


def test_what_the_client_has_is_not_sent_again():
    assert asked(If_None_Match='"one"').status_code == 304
    assert asked(If_Match='"two"').status_code == 412


# The archive


def test_the_archive_is_a_tar_of_every_file(tmp_path):
    folder = small.write_small(tmp_path / "study")
    archive = Archive(folder, changed_at=1_700_000_000)
    whole = b"".join(archive.read(0, archive.size))
    assert len(whole) == archive.size
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        assert {name.removeprefix("study/") for name in tar.getnames()} == {*manifest_read(folder), MANIFEST}
        for name in tar.getnames():
            assert tar.extractfile(name).read() == (tmp_path / name).read_bytes()


def test_any_part_of_the_archive_is_that_part(tmp_path):
    archive = Archive(small.write_small(tmp_path / "study"), changed_at=0)
    whole = b"".join(archive.read(0, archive.size))
    for start in range(0, archive.size, 1009):
        for length in (1, 511, 5000):
            stop = min(start + length, archive.size)
            assert b"".join(archive.read(start, stop)) == whole[start:stop]


def test_an_archive_of_what_is_not_whole_is_refused(tmp_path):
    folder = small.write_small(tmp_path / "study")
    (folder / "pairs.parquet").unlink()
    with pytest.raises(ManifestError, match=r"pairs\.parquet is gone"):
        Archive(folder, changed_at=0)


# The manifest


def test_sha256sum_reads_the_manifest(tmp_path):
    folder = small.write_small(tmp_path / "study")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", MANIFEST], cwd=folder, check=True)
    assert manifest_faults(folder) == []


def test_what_is_not_as_it_was_exported_is_named(tmp_path):
    folder = small.write_small(tmp_path / "study")
    sha256 = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    (folder / "README.md").write_text("other")
    (folder / "more.txt").touch()
    (folder / "scenes.parquet").unlink()
    assert [str(fault) for fault in manifest_faults(folder, sha256=sha256)] == [
        "more.txt: is not in the manifest",
        "README.md: has another sha256 than the manifest says",
        "scenes.parquet: is missing",
    ]
    (folder / MANIFEST).write_text(f"{'0' * 64}  ../secret\n")
    [fault] = manifest_faults(folder, sha256=sha256)
    assert "row 0: " in str(fault)
    assert "is not a hash and the name of a file" in str(fault)


# The pages


@pytest.fixture
def export(db, tmp_path):
    folder = small.write_small(tmp_path / "study-1")
    sha256 = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    return make_export(make_study(), folder, manifest_sha256=sha256, n_bytes=12_345)


@pytest.fixture
def viewer(client, export):
    bob = make_researcher("bob", is_superuser=False)
    Membership.objects.create(study=export.study, user=bob, role=Role.VIEWER)
    client.force_login(bob)
    return client


def test_a_viewer_downloads_the_whole_and_the_trail_says_so(viewer, export):
    address = reverse("researcher:export-archive", args=[export.public_id])
    head = viewer.head(address)
    whole = body(viewer.get(address))
    assert len(whole) == int(head["Content-Length"])
    rest = viewer.get(address, headers={"range": "bytes=5000-", "if-range": head["ETag"]})
    assert (rest.status_code, body(rest)) == (206, whole[5000:])
    trail = AuditEntry.objects.filter(action="export.download", study=export.study).order_by("pk")
    assert [(entry.actor_name, entry.details["file"]) for entry in trail] == [("bob", "study-1.tar")] * 2
    assert trail[1].details["part"].startswith("bytes 5000-")


def test_files_go_out_by_the_manifest_alone(viewer, export, tmp_path):
    (tmp_path / "study-1" / "secret.txt").write_text("not exported")
    (tmp_path / "secret.txt").write_text("beside it")

    def fetched(name):
        return viewer.get(reverse("researcher:export-file", args=[export.public_id, name]))

    image = next(name for name in small.images())
    assert body(fetched(image)) == small.images()[image]
    assert fetched("judgments.parquet")["ETag"].strip('"') in (tmp_path / "study-1" / MANIFEST).read_text()
    for name in (
        "secret.txt",
        "../secret.txt",
        "images/../../secret.txt",
        "/etc/passwd",
        "images",
        "no\0name",
    ):
        assert fetched(name).status_code == 404, name


def test_the_page_lists_files_sizes_and_hashes(viewer, export):
    page = viewer.get(reverse("researcher:export-detail", args=[export.public_id])).content.decode()
    assert "Dataset version 1" in page
    assert "study-1.tar" in page
    assert "12.1\xa0KB" in page
    for name in ("DATASHEET.md", "MANIFEST.sha256", "judgments.parquet"):
        assert reverse("researcher:export-file", args=[export.public_id, name]) in page


def test_a_dataset_without_a_manifest_says_what_mends_it(viewer, export, tmp_path):
    (tmp_path / "study-1" / MANIFEST).unlink()
    page = viewer.get(reverse("researcher:export-detail", args=[export.public_id])).content.decode()
    assert "Export the study again" in page
    assert viewer.get(reverse("researcher:export-archive", args=[export.public_id])).status_code == 404


def test_a_stranger_learns_nothing(client, export):
    client.force_login(make_researcher("eve", is_superuser=False))
    for name in ("export-archive", "export-detail"):
        assert client.get(reverse(f"researcher:{name}", args=[export.public_id])).status_code == 404
