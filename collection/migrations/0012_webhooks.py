import collection.models.webhooks
import django.db.models.deletion
import django.utils.timezone
import variants.jobs
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('collection', '0011_api'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Webhook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.CharField(default=variants.jobs.new_public_id, editable=False, max_length=32, unique=True)),
                ('address', models.CharField(max_length=500)),
                ('events', models.JSONField(default=list, help_text="Which of the study's events are sent.")),
                ('is_active', models.BooleanField(default=True)),
                ('secret_number', models.PositiveIntegerField(default=1, help_text='Goes up with every new secret.')),
                ('secret_sha256', models.CharField(blank=True, help_text='Tells that SECRET_KEY has changed since the secret was shown.', max_length=64)),
                ('failing_since', models.DateTimeField(blank=True, help_text='Nothing has got through since.', null=True)),
                ('stopped_because', models.TextField(blank=True, help_text='Why the site itself has switched it off.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('study', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='webhooks', to='collection.study')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.CharField(default=collection.models.webhooks.new_message_id, editable=False, max_length=40, unique=True)),
                ('event', models.CharField(max_length=30)),
                ('payload', models.TextField(help_text='The body, byte for byte: each try sends the same.')),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('delivered', 'Delivered'), ('failed', 'given up')], default='waiting', max_length=10)),
                ('tries', models.PositiveIntegerField(default=0, help_text='Of the present round.')),
                ('next_try_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('claimed_until', models.DateTimeField(blank=True, help_text='A worker is at it; after that it counts as dead.', null=True)),
                ('tried_at', models.DateTimeField(blank=True, null=True)),
                ('status_code', models.PositiveIntegerField(blank=True, help_text='Of the last reply.', null=True)),
                ('reply', models.TextField(blank=True, help_text='The beginning of the last reply.')),
                ('error', models.TextField(blank=True)),
                ('duration_ms', models.PositiveIntegerField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('webhook', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='collection.webhook')),
            ],
            options={
                'verbose_name_plural': 'webhook deliveries',
                'ordering': ['-pk'],
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['next_try_at'], name='delivery_to_be_tried')],
            },
        ),
    ]
