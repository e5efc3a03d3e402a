"""A server with two accounts and small quotas, which can be killed and started again on its data."""

import boto3
import botocore.config

from modelled.kinds import KINDS
from support.server import Server

ACCOUNTS = ("111111111111", "222222222222")
SECRET = "a-secret-of-the-tests-that-is-long-enough"


def configuration():
    quotas = "\n".join(f"{name} = {kind.quota}" for name, kind in KINDS.items())
    credentials = "\n".join(
        f'[[credentials]]\naccess_key_id = "AKIATEST{account}"\nsecret_access_key = "{SECRET}"\naccount = "{account}"'
        for account in ACCOUNTS)
    return f"{credentials}\n[limits.quotas]\n{quotas}\n"


class Accounts:
    """One server; a client for each account and service."""

    def __init__(self, binary, folder):
        self._binary, self._folder = binary, folder
        self._start()

    def _start(self):
        self.server = Server(self._binary, self._folder, config=configuration())
        self._clients = {
            (account, service): self.new_client(account, service)
            for account in ACCOUNTS for service in ("ivs-realtime", "ivs")
        }

    def new_client(self, account, service):
        return boto3.client(
            service, endpoint_url=self.server.http, region_name="us-east-1",
            aws_access_key_id=f"AKIATEST{account}", aws_secret_access_key=SECRET,
            config=botocore.config.Config(retries={"total_max_attempts": 1}))

    def client(self, account, service):
        return self._clients[account, service]

    def restart(self, kill):
        if kill:
            self.server.child.kill()
            self.server.child.wait()
        else:
            assert self.server.stop() == 0
        self._start()

    def close(self):
        self.server.stop()
