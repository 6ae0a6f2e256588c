import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import variants.jobs


class Migration(migrations.Migration):
    dependencies = [
        ("variants", "0003_edits_and_generated_scenes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="scene",
            name="thumbnail",
            field=models.FileField(
                blank=True, help_text="A small JPEG of the original.", max_length=300, upload_to="thumbnails/"
            ),
        ),
        migrations.AddField(
            model_name="scene",
            name="uploaded_by",
            field=models.ForeignKey(
                blank=True,
                help_text="Whoever brought it in on a page; they may use it in any study of theirs.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.CreateModel(
            name="PhotoJob",
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
                    "task",
                    models.CharField(
                        default="variants.tasks.photos_task",
                        editable=False,
                        help_text="Whoever does more with the scenes names the task that does it all.",
                        max_length=100,
                    ),
                ),
                (
                    "folder",
                    models.CharField(
                        blank=True,
                        help_text="Below IMPORT_FOLDER; empty for files that were uploaded.",
                        max_length=500,
                    ),
                ),
                ("category", models.CharField(blank=True, max_length=50)),
                ("folders_are_categories", models.BooleanField(default=False)),
                ("licence", models.CharField(blank=True, max_length=200)),
                ("attribution", models.CharField(blank=True, max_length=300)),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["-pk"]},
        ),
        migrations.CreateModel(
            name="PhotoFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="With its folders, as the browser or the server has it.", max_length=500
                    ),
                ),
                (
                    "file",
                    models.FileField(
                        blank=True,
                        help_text="Empty once it is looked at.",
                        max_length=300,
                        upload_to="uploads/",
                    ),
                ),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("size", models.PositiveBigIntegerField(default=0, help_text="In bytes.")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("imported", "Imported"),
                            ("known", "there already"),
                            ("refused", "Refused"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("error", models.TextField(blank=True)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="files",
                        to="variants.photojob",
                    ),
                ),
                (
                    "scene",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="variants.scene",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [models.Index(fields=["job", "sha256"], name="photo_file_of_a_job")],
            },
        ),
    ]
