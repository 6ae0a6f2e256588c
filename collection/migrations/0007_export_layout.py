from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("collection", "0006_rule_versions"),
    ]

    operations = [
        migrations.AddField(
            model_name="export",
            name="layout",
            field=models.CharField(
                choices=[("folder", "dataset folder"), ("published", "layout of the published PPSD")],
                default="folder",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="export",
            name="sha256",
            field=models.CharField(
                blank=True,
                help_text="Of the dataset's five tables, which hold the hash of every image; a view has its dataset's.",
                max_length=64,
            ),
        ),
    ]
