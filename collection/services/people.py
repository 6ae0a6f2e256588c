"""Who answers. A person is known by a panel's ID or a cookie's random token, a device by a cookie."""

import secrets
from typing import Any

from collection.models import Device, Person, Rater, Study
from collection.selectors.people import device_known, token_sha256


def person_for(*, token: str = "", panel: str = "", panel_id: str = "", is_simulated: bool = False) -> Person:
    """The person with this panel ID or, without one, with this cookie; made at the first call.

    Raises ValueError when neither is given: without it everybody would be the same person.
    """
    if panel_id:
        person, _ = Person.objects.get_or_create(
            panel=panel, panel_id=panel_id, defaults={"is_simulated": is_simulated}
        )
    elif token:
        person, _ = Person.objects.get_or_create(
            cookie_sha256=token_sha256(token), defaults={"is_simulated": is_simulated}
        )
    else:
        raise ValueError("a person needs a panel_id or a token")
    return person


def device_for(token: str) -> Device:
    if not token:
        raise ValueError("a device needs a token")
    device, _ = Device.objects.get_or_create(cookie_sha256=token_sha256(token))
    return device


def device_replace(device: Device) -> tuple[Device, str]:
    """The same browser on another screen: a device of its own, and the token that its cookie is set to."""
    token = secrets.token_urlsafe(32)
    return Device.objects.create(cookie_sha256=token_sha256(token), replaces=device), token


def device_token_renew(device: Device) -> str:
    """A new token for the cookie of a browser that has lost its own: only hashes are kept."""
    token = secrets.token_urlsafe(32)
    device.cookie_sha256 = token_sha256(token)
    device.save(update_fields=["cookie_sha256"])
    return token


def rater_for(
    study: Study,
    person: Person,
    device: Device,
    simulation: dict[str, Any] | None = None,
    public_id: str = "",
) -> Rater:
    """The person on the device in the study; `simulation` is the taste of a simulated rater.

    A `public_id` takes the place of a random one where the same seed has to give the same rater.
    """
    defaults: dict[str, Any] = {"simulation": simulation}
    if public_id:
        defaults["public_id"] = public_id
    rater, _ = Rater.objects.get_or_create(study=study, person=person, device=device, defaults=defaults)
    return rater


def rater_bind(rater: Rater, token: str) -> str:
    """The rater's device is the browser with this token after all; its cookies were cleared, or somebody
    else came by it meanwhile. Returns the token that its cookie is set to.
    """
    device = device_known(token)
    if device is None:
        return device_token_renew(rater.device)
    rater.device = device
    rater.save(update_fields=["device"])
    return token


def rater_mark_simulated(rater: Rater, simulation: dict[str, Any]) -> None:
    """Say of a rater who came through the front door that a program answered, and with which taste."""
    rater.simulation = simulation
    rater.save(update_fields=["simulation"])
    Person.objects.filter(pk=rater.person_id).update(is_simulated=True)
