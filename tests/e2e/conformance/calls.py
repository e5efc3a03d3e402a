"""The full call of each operation, made once in a run."""

from botocore import xform_name

from conformance.inputs import SECOND_CALLS, call_input


def ensure_called(world, results, service, name):
    """Calls an operation through boto3; `results` keeps what was wrong with the raw response."""
    if (service, name) not in results.called:
        call = getattr(world.client(service), xform_name(name))
        call(**call_input(service, name, world))
        if name in SECOND_CALLS:
            call(**SECOND_CALLS[name](world))
        results.called.add((service, name))


def paths_of(document, prefix=""):
    """The paths of all members of a response: `channel.arn`, `channels[].name`."""
    if isinstance(document, dict):
        for name, value in document.items():
            path = f"{prefix}.{name}" if prefix else name
            yield path
            yield from paths_of(value, path)
    elif isinstance(document, list):
        for item in document:
            yield from paths_of(item, f"{prefix}[]")
