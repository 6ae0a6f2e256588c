import hashlib

from collection.models import Device, Person, Rater, Study


def token_sha256(token: str) -> str:
    """What is stored of a cookie's random token: a copy of the database opens nobody's session."""
    return hashlib.sha256(token.encode()).hexdigest()


def person_known(*, token: str = "", panel: str = "", panel_id: str = "") -> Person | None:
    """A panel's ID comes before a cookie: two people of a panel may share a browser."""
    if panel_id:
        return Person.objects.filter(panel=panel, panel_id=panel_id).first()
    return Person.objects.filter(cookie_sha256=token_sha256(token)).first() if token else None


def device_known(token: str) -> Device | None:
    return Device.objects.filter(cookie_sha256=token_sha256(token)).first() if token else None


def rater_on(study: Study, person: Person, device: Device) -> Rater | None:
    return Rater.objects.filter(study=study, person=person, device=device).first()


def rater_last_on(study: Study, device: Device) -> Rater | None:
    """Who came by this device last, without a panel's ID: for a browser that has lost its person's cookie alone."""
    raters = Rater.objects.filter(study=study, device=device, person__panel_id="", withdrawn_at=None)
    return raters.order_by("pk").last()


def rater_elsewhere(study: Study, person: Person, device: Device | None) -> Rater | None:
    """The latest rater with a session that this person is on another device."""
    raters = Rater.objects.filter(study=study, person=person, sessions__isnull=False)
    return raters.exclude(device=device).order_by("pk").last()


def has_withdrawn(study: Study, person: Person) -> bool:
    return Rater.objects.filter(study=study, person=person, withdrawn_at__isnull=False).exists()
