"""The researchers' REST API, under /api/v1. docs/api.md says how to use it, its schema what there is.

A resource is an `Endpoint` (endpoint.py); each of its actions says with `@operation` what comes in and
goes out, and the base does the rest: tokens and scopes, limits, strict queries and bodies, pages,
replies kept under idempotency keys, problem details, and its part of the schema.
"""
