import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import variants.jobs


class Migration(migrations.Migration):
    dependencies = [
        ("collection", "0010_removal"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(default=variants.jobs.new_public_id, editable=False, max_length=32, unique=True)),
                ("name", models.CharField(help_text="What it is for.", max_length=100)),
                ("prefix", models.CharField(help_text="The first characters, by which it is told from others.", max_length=12)),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("scopes", models.JSONField(default=list, help_text="Some of Scope.")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, help_text="To the minute.", null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="api_tokens", to=settings.AUTH_USER_MODEL)),
            ],
            options={"ordering": ["-pk"]},
        ),
        migrations.CreateModel(
            name="KeptReply",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=200)),
                ("request_sha256", models.CharField(help_text="Of method, address and body.", max_length=64)),
                ("status", models.PositiveSmallIntegerField(default=0)),
                ("body", models.TextField(blank=True, help_text="As JSON, to the letter.")),
                ("headers", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "verbose_name_plural": "kept replies",
                "constraints": [models.UniqueConstraint(fields=("user", "key"), name="idempotency_key_is_new")],
            },
        ),
    ]
