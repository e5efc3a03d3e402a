"""What Prometheus reads of a server."""

import re

import requests

TOKEN = "scrape-scrape-scrape"
# For the server's configuration.
SETTING = f'metrics_token = "{TOKEN}"\n'


def read(server, token=TOKEN):
    return requests.get(f"{server.http}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=5)


def values(server, name):
    """Of one metric: the value for each set of labels."""
    found = re.findall(rf"^{name}{{(.*)}} (\S+)$", read(server).text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}
