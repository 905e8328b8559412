"""Hooks for schemathesis: valid images as bodies, ids that exist, and a different client IP for each request, because one
client IP may send 120 requests a minute."""

import ipaddress
import json
import os
import pathlib
import secrets

import schemathesis
from hypothesis import strategies as st

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
# Ids, keys and users that run.mjs has created on the server. Some are deleted during the run.
KNOWN = json.loads(os.environ["API_KNOWN"])
NETWORK = int(ipaddress.IPv6Address("2001:db8::"))


def pictures(folder):
    """Valid images of a type, often with bytes after their end, and bytes that are no image."""
    files = st.sampled_from([path.read_bytes() for path in sorted((FIXTURES / folder).iterdir())])
    # Bytes after the end make a different file, so that not all uploads are duplicates.
    return st.one_of(st.builds(lambda file, more: file + more, files, st.binary(max_size=16)), st.binary(max_size=64))


for name, folder in {"jpeg": "jpeg", "png": "png", "gif": "gif", "webp": "webp"}.items():
    schemathesis.openapi.media_type(f"image/{name}", pictures(folder))


@schemathesis.auth(refresh_interval=None)
class Caller:
    """The caller's token: an administrator for admin operations, a back end for others, none for public ones."""

    def get(self, case, context):
        path = case.operation.path
        is_for_admins = path.startswith("/admin/") or path == "/users/{id}"
        return os.environ["API_ADMIN_TOKEN" if is_for_admins else "API_SERVICE_TOKEN"]

    def set(self, case, data, context):
        if {"bearer": []} in (case.operation.definition.raw.get("security") or []):
            case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Sends each request from a different IPv6 /64, because limits count the first 64 bits."""
    address = ipaddress.IPv6Address(NETWORK + (secrets.randbits(32) << 64) + 1)
    case.headers["CF-Connecting-IP"] = str(address)


@schemathesis.hook
def flatmap_path_parameters(context, parameters):
    """Sometimes replaces path parameters by those of an existing resource."""
    known = KNOWN["paths"].get(context.operation.path)
    if known and parameters:
        return st.sampled_from([parameters, *({**parameters, **existing} for existing in known)])
    return st.just(parameters)


@schemathesis.hook
def flatmap_body(context, body):
    """Sometimes replaces members of a body by those of an existing image."""
    if not isinstance(body, dict):
        return st.just(body)
    known = {name: value for name, value in KNOWN["members"].items() if isinstance(body.get(name), type(value))}
    return st.sampled_from([{**body, **known}, body])
