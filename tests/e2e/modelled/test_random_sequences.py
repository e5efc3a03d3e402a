"""Random sequences by two accounts: what the server answers is what a few dictionaries say.

`--fresh-seed` draws a new seed; a failure prints it together with the shortest sequence that was found.
"""

import random

from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from modelled.fixture import ACCOUNTS, Accounts
from modelled.kinds import KINDS, create_call, list_call

EXAMPLES = 10
STEPS_PER_EXAMPLE = 60
DEFAULT_SEED = 20200715

accounts = some.sampled_from(ACCOUNTS)
kinds = some.sampled_from(sorted(KINDS))
names = some.text("abc-_1", max_size=8)
tag_maps = some.dictionaries(some.sampled_from(["a", "b", "c"]), some.text("xyz", max_size=3), max_size=3)
picks = some.integers(0, 1000)


def outcome(call, **arguments):
    """The answer and None, or None and the error's code."""
    try:
        return call(**arguments), None
    except ClientError as error:
        return None, error.response["Error"]["Code"]


class Resources(RuleBasedStateMachine):
    """The model: for each account and kind the resources by ARN, and every ARN that ever was."""

    world: Accounts

    def __init__(self):
        super().__init__()
        self.there = {(account, kind): {} for account in ACCOUNTS for kind in KINDS}
        self.every_arn = {kind: [] for kind in KINDS}

    def call(self, account, kind, operation, **arguments):
        client = self.world.client(account, KINDS[kind].service)
        return outcome(getattr(client, operation), **arguments)

    def pick(self, kind, number):
        """Some ARN of the kind: there, deleted, or of the other account."""
        return self.every_arn[kind][number % len(self.every_arn[kind])] if self.every_arn[kind] else None

    def references(self, account, arn):
        return [c for c in self.there[account, "channels"].values() if arn in c["refers"].values()]

    @rule(account=accounts, kind=kinds, name=names, tags=tag_maps)
    def create(self, account, kind, name, tags):
        known = KINDS[kind]
        answer, error = self.call(account, kind, create_call(known), name=name, tags=tags, **known.required())
        if len(self.there[account, kind]) >= known.quota:
            assert error == "ServiceQuotaExceededException"
            return
        assert error is None
        made = answer[known.member]
        assert made["arn"].split(":")[4] == account and made["arn"] not in self.every_arn[kind]
        self.every_arn[kind].append(made["arn"])
        self.there[account, kind][made["arn"]] = {"name": name, "tags": tags, "refers": {}}
        self.compare(account, kind, made)

    @rule(account=accounts, kind=kinds, number=picks)
    def get(self, account, kind, number):
        if arn := self.pick(kind, number):
            answer, error = self.call(account, kind, KINDS[kind].call("get"), arn=arn)
            if arn in self.there[account, kind]:
                assert error is None
                self.compare(account, kind, answer[KINDS[kind].member])
            else:
                assert error == "ResourceNotFoundException"

    @rule(account=accounts, kind=some.sampled_from([k for k in sorted(KINDS) if KINDS[k].renames]), number=picks,
          name=names)
    def rename(self, account, kind, number, name):
        if arn := self.pick(kind, number):
            answer, error = self.call(account, kind, KINDS[kind].call("update"), arn=arn, name=name)
            if arn in self.there[account, kind]:
                assert error is None
                self.there[account, kind][arn]["name"] = name
                self.compare(account, kind, answer[KINDS[kind].member])
            else:
                assert error == "ResourceNotFoundException"

    @rule(account=accounts, kind=some.sampled_from([k for k in sorted(KINDS) if KINDS[k].channel_member]),
          channel=picks, number=picks, detach=some.booleans())
    def attach(self, account, kind, channel, number, detach):
        member = KINDS[kind].channel_member
        channel, arn = self.pick("channels", channel), "" if detach else self.pick(kind, number)
        if channel is None or arn is None:
            return
        answer, error = self.call(account, "channels", "update_channel", arn=channel, **{member: arn})
        if channel in self.there[account, "channels"] and (detach or arn in self.there[account, kind]):
            assert error is None
            self.there[account, "channels"][channel]["refers"][member] = arn
            self.compare(account, "channels", answer["channel"])
        else:
            assert error == "ResourceNotFoundException"

    @rule(account=accounts, kind=kinds, number=picks, tags=tag_maps, untag=some.sets(some.sampled_from("abc")))
    def tag(self, account, kind, number, tags, untag):
        if arn := self.pick(kind, number):
            _, error = self.call(account, kind, "tag_resource", resourceArn=arn, tags=tags)
            if arn not in self.there[account, kind]:
                assert error == "ResourceNotFoundException"
                return
            assert error is None
            mine = self.there[account, kind][arn]["tags"] = {**self.there[account, kind][arn]["tags"], **tags}
            if untag:
                self.call(account, kind, "untag_resource", resourceArn=arn, tagKeys=sorted(untag))
                for key in untag:
                    mine.pop(key, None)
            answer, _ = self.call(account, kind, "list_tags_for_resource", resourceArn=arn)
            assert answer["tags"] == mine

    @rule(account=accounts, kind=kinds, number=picks)
    def delete(self, account, kind, number):
        if arn := self.pick(kind, number):
            _, error = self.call(account, kind, KINDS[kind].call("delete"), arn=arn)
            if arn not in self.there[account, kind]:
                assert error == "ResourceNotFoundException"
            elif self.references(account, arn):
                assert error == "ConflictException"
            else:
                assert error is None
                del self.there[account, kind][arn]

    @rule(account=accounts, kind=kinds, size=some.integers(1, 4))
    def page_through(self, account, kind, size):
        assert self.listed(account, kind, size) == {
            arn: one["name"] for arn, one in self.there[account, kind].items()}

    @rule(kill=some.booleans(), luck=some.integers(0, 9))
    def restart(self, kill, luck):
        """One in ten: everything is as it was."""
        if luck == 0:
            self.world.restart(kill)
            self.compare_all()

    def listed(self, account, kind, size):
        found, token = {}, {}
        while True:
            page, error = self.call(account, kind, list_call(KINDS[kind]), maxResults=size, **token)
            assert error is None
            items = page[KINDS[kind].members]
            assert len(items) <= size and not found.keys() & {item["arn"] for item in items}
            found.update((item["arn"], item.get("name", "")) for item in items)
            if not page.get("nextToken"):
                return found
            token = {"nextToken": page["nextToken"]}

    def compare(self, account, kind, given):
        mine = self.there[account, kind][given["arn"]]
        assert given.get("name", "") == mine["name"] and given.get("tags", {}) == mine["tags"]
        for member, arn in mine["refers"].items():
            assert given[member] == arn

    def compare_all(self):
        for account, kind in self.there:
            assert set(self.listed(account, kind, 50)) == set(self.there[account, kind])
            for arn in self.there[account, kind]:
                answer, _ = self.call(account, kind, KINDS[kind].call("get"), arn=arn)
                self.compare(account, kind, answer[KINDS[kind].member])

    def teardown(self):
        """Compares everything, then leaves the server empty for the next sequence; channels go first."""
        try:
            self.compare_all()
        finally:
            for account, kind in sorted(self.there, key=lambda both: both[1] != "channels"):
                for arn in self.listed(account, kind, 50):
                    self.call(account, kind, KINDS[kind].call("delete"), arn=arn)


def test_random_sequences_follow_the_model(world, pytestconfig):
    drawn = random.SystemRandom().randrange(1 << 32) if pytestconfig.getoption("fresh_seed") else DEFAULT_SEED
    print(f"seed {drawn}")

    class Machine(Resources):
        pass

    Machine.world = world
    run_state_machine_as_test(seed(drawn)(Machine), settings=settings(
        max_examples=EXAMPLES, stateful_step_count=STEPS_PER_EXAMPLE, deadline=None, database=None,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck)))
