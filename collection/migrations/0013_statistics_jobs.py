from collections import Counter

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import variants.jobs


def number_exports(apps, schema_editor):
    """Versions of a study's datasets, in the order in which they were made."""
    Export = apps.get_model("collection", "Export")
    last = Counter()
    exports = list(Export.objects.order_by("pk").only("pk", "study_id"))
    for export in exports:
        last[export.study_id] += 1
        export.number = last[export.study_id]
    Export.objects.bulk_update(exports, ["number"], batch_size=500)


class Migration(migrations.Migration):
    dependencies = [
        ("collection", "0012_webhooks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="StatisticsJob",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.CharField(
                        default=variants.jobs.new_public_id, editable=False, max_length=32, unique=True
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "waiting for a worker"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        db_index=True,
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("stage", models.CharField(blank=True, max_length=200)),
                ("done", models.PositiveIntegerField(default=0)),
                ("total", models.PositiveIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("worker", models.CharField(blank=True, max_length=200)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("heartbeat_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "settings",
                    models.JSONField(
                        default=dict,
                        help_text="Model of the scales, prior, how much is drawn again, seed.",
                    ),
                ),
                (
                    "computed_from",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Rule set, answers and their last time, raters used and judged.",
                    ),
                ),
                ("result", models.JSONField(blank=True, null=True)),
                (
                    "started_by",
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
                        related_name="statistics_jobs",
                        to="collection.study",
                    ),
                ),
            ],
            options={"ordering": ["-pk"]},
        ),
        migrations.AddField(
            model_name="export",
            name="manifest_sha256",
            field=models.CharField(
                blank=True,
                help_text="Of its MANIFEST.sha256, which holds the hash of every file.",
                max_length=64,
            ),
        ),
        migrations.AddField(
            model_name="export",
            name="n_bytes",
            field=models.PositiveBigIntegerField(blank=True, help_text="Of all its files.", null=True),
        ),
        migrations.AddField(
            model_name="export",
            name="number",
            field=models.PositiveIntegerField(help_text="Version, from 1 on in each study.", null=True),
        ),
        migrations.RunPython(number_exports, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="export",
            name="number",
            field=models.PositiveIntegerField(help_text="Version, from 1 on in each study."),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.UniqueConstraint(
                fields=("study", "number"), name="export_number_is_one_a_study"
            ),
        ),
    ]
