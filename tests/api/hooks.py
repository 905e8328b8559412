"""What schemathesis has to know of this API beyond its description: pictures that are pictures, things
that exist, and that each request comes from another address, as one address may ask 120 times a minute."""

import ipaddress
import json
import os
import pathlib
import secrets

import schemathesis
from hypothesis import strategies as st

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
# What exists on the server, as the runner has put it there: ids, keys, users. Some of it goes away on the way.
KNOWN = json.loads(os.environ["API_KNOWN"])
NETWORK = int(ipaddress.IPv6Address("2001:db8::"))


def pictures(folder):
    """Real pictures of a type, often with bytes after their end, and bytes that are none."""
    files = st.sampled_from([path.read_bytes() for path in sorted((FIXTURES / folder).iterdir())])
    # A picture with bytes behind it is another picture, so that not all are the same again.
    return st.one_of(st.builds(lambda file, more: file + more, files, st.binary(max_size=16)), st.binary(max_size=64))


for name, folder in {"jpeg": "jpeg", "png": "png", "gif": "gif", "webp": "webp"}.items():
    schemathesis.openapi.media_type(f"image/{name}", pictures(folder))


@schemathesis.auth(refresh_interval=None)
class Caller:
    """Who asks: an administrator where only they may, elsewhere a back end, and nobody where anybody may."""

    def get(self, case, context):
        path = case.operation.path
        is_for_admins = path.startswith("/admin/") or path == "/users/{id}"
        return os.environ["API_ADMIN_TOKEN" if is_for_admins else "API_SERVICE_TOKEN"]

    def set(self, case, data, context):
        if {"bearer": []} in (case.operation.definition.raw.get("security") or []):
            case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """A /64 of its own for each request: of IPv6 the first 64 bits count."""
    address = ipaddress.IPv6Address(NETWORK + (secrets.randbits(32) << 64) + 1)
    case.headers["CF-Connecting-IP"] = str(address)


@schemathesis.hook
def flatmap_path_parameters(context, parameters):
    """Now and then something that exists, where there is something of that name."""
    known = KNOWN["paths"].get(context.operation.path)
    if known and parameters:
        return st.sampled_from([parameters, *({**parameters, **thing} for thing in known)])
    return st.just(parameters)


@schemathesis.hook
def flatmap_body(context, body):
    """Now and then a picture that exists, where a body names one."""
    if not isinstance(body, dict):
        return st.just(body)
    known = {name: value for name, value in KNOWN["members"].items() if isinstance(body.get(name), type(value))}
    return st.sampled_from([{**body, **known}, body])
