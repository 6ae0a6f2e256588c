import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


def sessions_keep_their_protocol(apps, schema_editor):
    """A study had one protocol, frozen at its first session: every session was planned by it."""
    Session = apps.get_model("collection", "Session")
    ProtocolVersion = apps.get_model("collection", "ProtocolVersion")
    for study in apps.get_model("collection", "Study").objects.filter(sessions__isnull=False).distinct():
        sessions = Session.objects.filter(study=study).order_by("pk")
        hashes = dict.fromkeys(sessions.values_list("protocol_hash", flat=True))
        for number, sha256 in enumerate(hashes, start=1):
            first = sessions.filter(protocol_hash=sha256).first()
            ProtocolVersion.objects.create(
                study=study,
                number=number,
                protocol=study.protocol,
                sha256=sha256,
                made_at=first.started_at,
            )


class Migration(migrations.Migration):
    dependencies = [
        ("collection", "0008_access"),
        ("variants", "0004_photos"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="study",
            name="cloned_from",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="clones",
                to="collection.study",
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="edition",
            field=models.PositiveIntegerField(
                default=1,
                help_text="Goes up with every change of the settings, so that two researchers notice each other.",
            ),
        ),
        migrations.AddField(
            model_name="study",
            name="photo_jobs",
            field=models.ManyToManyField(related_name="studies", to="variants.photojob"),
        ),
        migrations.AddField(
            model_name="study",
            name="preview_of",
            field=models.ForeignKey(
                blank=True,
                help_text="A copy to try out as a participant: in no list and no dataset, and deleted after a day.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="previews",
                to="collection.study",
            ),
        ),
        migrations.CreateModel(
            name="ProtocolVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "protocol",
                    models.JSONField(help_text="A collection.design.protocol.Protocol as data."),
                ),
                ("sha256", models.CharField(help_text="What sessions planned by it carry.", max_length=64)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "made_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="protocol_versions",
                        to="collection.study",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("study", "number"), name="protocol_version_number_is_new"
                    ),
                    models.UniqueConstraint(fields=("study", "sha256"), name="protocol_version_is_new"),
                ],
            },
        ),
        migrations.RunPython(sessions_keep_their_protocol, migrations.RunPython.noop),
    ]
