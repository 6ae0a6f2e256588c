import django.db.models.deletion
import django.utils.timezone
import variants.jobs
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q


def who_may_stand_in_earlier_datasets(apps, schema_editor):
    """Nobody kept who stood in them: everybody who was there when they were written may have."""
    ExportedRater = apps.get_model("collection", "ExportedRater")
    Rater = apps.get_model("collection", "Rater")
    for export in apps.get_model("collection", "Export").objects.filter(state="done"):
        begun = Q(created_at__lt=export.finished_at or export.created_at)
        there = Q(withdrawn_at=None) | Q(withdrawn_at__gt=export.started_at or export.created_at)
        raters = Rater.objects.filter(begun, there, study=export.study_id).values_list("pk", flat=True)
        ExportedRater.objects.bulk_create(
            [ExportedRater(export=export, rater_id=rater) for rater in raters], batch_size=1000
        )


class Migration(migrations.Migration):

    dependencies = [
        ("collection", "0009_protocol_versions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='study',
            name='erased_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='study',
            name='retain_erases',
            field=models.CharField(choices=[('identifiers', 'what identifies people'), ('data', 'all raw data')], default='identifiers', max_length=12),
        ),
        migrations.AddField(
            model_name='study',
            name='retain_until',
            field=models.DateField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name='DatasetRemoval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.CharField(help_text="The export's, which its address has.", max_length=32, unique=True)),
                ('study_slug', models.CharField(max_length=50)),
                ('folder', models.CharField(db_index=True, max_length=500)),
                ('sha256', models.CharField(blank=True, help_text='By which a copy elsewhere is known.', max_length=64)),
                ('files_deleted', models.BooleanField()),
                ('study_deleted', models.BooleanField()),
                ('why', models.CharField(max_length=200)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('export', models.OneToOneField(blank=True, help_text='None once its study is deleted.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='removal', to='collection.export')),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='StudyDeletion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.CharField(default=variants.jobs.new_public_id, editable=False, max_length=32, unique=True)),
                ('state', models.CharField(choices=[('queued', 'waiting for a worker'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], db_index=True, default='queued', max_length=10)),
                ('stage', models.CharField(blank=True, max_length=200)),
                ('done', models.PositiveIntegerField(default=0)),
                ('total', models.PositiveIntegerField(default=0)),
                ('error', models.TextField(blank=True)),
                ('worker', models.CharField(blank=True, max_length=200)),
                ('cancel_requested', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('study_slug', models.CharField(max_length=50)),
                ('study_name', models.CharField(max_length=200)),
                ('with_exports', models.BooleanField(default=False, help_text='The dataset folders on disk go too.')),
                ('with_photos', models.BooleanField(default=False, help_text='Photos that no other study uses go too.')),
                ('counts', models.JSONField(blank=True, default=dict, help_text='What has gone so far.')),
                ('started_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('study', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='deletions', to='collection.study')),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='ExportedRater',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('export', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='exported_raters', to='collection.export')),
                ('rater', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='exported_in', to='collection.rater')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('export', 'rater'), name='exported_rater_is_one_a_dataset')],
            },
        ),
        migrations.RunPython(who_may_stand_in_earlier_datasets, migrations.RunPython.noop),
    ]
