from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("collection", "0013_statistics_jobs")]

    operations = [
        migrations.AddField(
            model_name="study",
            name="recipes",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="As its file lists them: what is rendered of each photo unless told otherwise.",
            ),
        ),
    ]
