from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("learning", "0005_adaptations"),
    ]

    operations = [
        migrations.AddField(
            model_name="photorequest",
            name="name",
            field=models.CharField(blank=True, help_text="Of a style, as pages list it.", max_length=80),
        ),
        migrations.AddField(
            model_name="photorequest",
            name="words",
            field=models.JSONField(
                blank=True, default=dict, help_text="Attribute of each concept, for a style in words."
            ),
        ),
        migrations.AddField(
            model_name="photorequest",
            name="mixture",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="The styles that it is mixed of: name, share, and the concepts that were set by hand.",
            ),
        ),
        migrations.AlterField(
            model_name="photorequest",
            name="rater_id",
            field=models.CharField(
                blank=True,
                help_text="Whose taste, as the learner's dataset names them; empty for a style.",
                max_length=100,
            ),
        ),
    ]
