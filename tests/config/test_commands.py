"""What all commands of ours have in common."""

import pytest
from django.core.management import get_commands, load_command_class

OURS = {"config", "collection", "evaluation", "learning", "variants"}


@pytest.mark.parametrize(("name", "app"), [found for found in get_commands().items() if found[1] in OURS])
def test_no_argument_takes_the_name_of_another(name, app):
    """A positional one called `settings`, say, would go to Django's own option of every command."""
    parser = load_command_class(app, name).create_parser("manage.py", name)
    options = {action.dest for action in parser._actions if action.option_strings}
    assert not [action.dest for action in parser._get_positional_actions() if action.dest in options]
