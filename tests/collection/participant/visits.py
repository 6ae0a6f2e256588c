"""A visitor's steps, as the pages offer them."""

import re

from django.urls import reverse

from collection.models import Session

SMALL = {"n_practice": 1, "n_main": 4, "n_checks": 1}


def landing(study, query=""):
    return reverse("participant:study-landing", args=[study.slug]) + query


def address_of(session):
    return reverse("participant:session-detail", args=[session.token])


def form_of(page):
    """What the browser sends with the page's form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))


def agree(client, study, query=""):
    """Open the page, agree, and return the reply."""
    return client.post(landing(study, query), form_of(client.get(landing(study, query))))


def begin(client, study, query=""):
    """Agree, and return the session that this begins."""
    address = agree(client, study, query)["Location"]
    return Session.objects.get(token=address.split("/")[2])
