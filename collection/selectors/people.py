import hashlib

from collection.models import Device, Person, Rater, Study


def token_sha256(token: str) -> str:
    """What is stored of a cookie's random token: a copy of the database opens nobody's session."""
    return hashlib.sha256(token.encode()).hexdigest()


def rater_known(
    study: Study, *, person_token: str = "", panel: str = "", panel_id: str = "", device_token: str = ""
) -> Rater | None:
    """The rater that these cookies or this panel ID belong to, if they were here before."""
    device = Device.objects.filter(cookie_sha256=token_sha256(device_token)).first() if device_token else None
    person = person_known(token=person_token, panel=panel, panel_id=panel_id)
    return (
        Rater.objects.filter(study=study, person=person, device=device).first() if person and device else None
    )


def person_known(*, token: str = "", panel: str = "", panel_id: str = "") -> Person | None:
    """A panel's ID comes before a cookie: two people of a panel may share a browser."""
    if panel_id:
        return Person.objects.filter(panel=panel, panel_id=panel_id).first()
    return Person.objects.filter(cookie_sha256=token_sha256(token)).first() if token else None
