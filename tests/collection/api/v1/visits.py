"""Calls of the researchers' API, as a program makes them."""

import json

from collection.models import Scope
from collection.services.tokens import token_create
from tests.factories import make_researcher


class Program:
    """Django's test client with a token, and bodies as JSON."""

    def __init__(self, client, user=None, scopes=tuple(Scope.values)):
        self.user = user or make_researcher()
        self.token, self.secret = token_create(self.user, "tests", scopes)
        self.client = client

    def __call__(self, method, path, body=None, **headers):
        data = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        if body is None and method == "post":
            data = {"content_type": "application/json", "data": ""}
        headers = {"Authorization": f"Bearer {self.secret}", **headers}
        return getattr(self.client, method)(f"/api/v1/{path}", headers=headers, **data)

    def get(self, path, **headers):
        return self("get", path, **headers)

    def post(self, path, body=None, **headers):
        return self("post", path, body, **headers)

    def patch(self, path, body=None, **headers):
        return self("patch", path, body, **headers)
