"""Many clients at once: nothing is lost, no quota is passed, no account sees the other, no event is missing."""

import concurrent.futures
import random

from botocore.exceptions import ClientError

from conformance.model import public_key
from modelled.events import read_events
from modelled.fixture import ACCOUNTS
from support import stage as st

CLIENTS = 8
SMALL = {"width": 320, "height": 180, "framerate": 15.0, "bitrate": 200_000}
SEED = 20200715


def at_once(work, items):
    """Runs `work` for every item in a thread of its own and answers the results in their order."""
    with concurrent.futures.ThreadPoolExecutor(len(items)) as threads:
        return list(threads.map(work, items))


def code_of(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def test_tags_of_many_clients_all_stay(world):
    account = ACCOUNTS[0]
    arn = world.client(account, "ivs-realtime").create_stage()["stage"]["arn"]

    def tag(number):
        client = world.new_client(account, "ivs-realtime")
        for i in range(6):
            client.tag_resource(resourceArn=arn, tags={f"{number}-{i}": "x"})
        client.untag_resource(resourceArn=arn, tagKeys=[f"{number}-0"])

    at_once(tag, range(CLIENTS))
    tags = world.client(account, "ivs-realtime").list_tags_for_resource(resourceArn=arn)["tags"]
    assert set(tags) == {f"{number}-{i}" for number in range(CLIENTS) for i in range(1, 6)}
    world.client(account, "ivs-realtime").delete_stage(arn=arn)


def test_updates_of_different_members_all_stay(world):
    ivs = world.client(ACCOUNTS[0], "ivs")
    changes = [{"name": "changed"}, {"latencyMode": "NORMAL"}, {"type": "BASIC"}, {"insecureIngest": True}]
    for _ in range(5):
        arn = ivs.create_channel(name="first")["channel"]["arn"]
        at_once(lambda change: world.new_client(ACCOUNTS[0], "ivs").update_channel(arn=arn, **change), changes)
        channel = ivs.get_channel(arn=arn)["channel"]
        for change in changes:
            assert channel.items() >= change.items()
        ivs.delete_channel(arn=arn)


def test_a_quota_holds_however_many_ask(world):
    account = ACCOUNTS[1]
    material = [public_key() for _ in range(CLIENTS)]
    codes = at_once(lambda key: code_of(
        world.new_client(account, "ivs").import_playback_key_pair, publicKeyMaterial=key), material)
    assert sorted(map(str, codes)) == ["None"] * 3 + ["ServiceQuotaExceededException"] * (CLIENTS - 3)
    ivs = world.client(account, "ivs")
    pairs = [pair["arn"] for pair in ivs.list_playback_key_pairs()["keyPairs"]]
    assert len(pairs) == 3
    for arn in pairs:
        ivs.delete_playback_key_pair(arn=arn)


def test_only_one_of_many_deletes_finds_it(world):
    arn = world.client(ACCOUNTS[0], "ivs").create_channel()["channel"]["arn"]
    codes = at_once(lambda _: code_of(world.new_client(ACCOUNTS[0], "ivs").delete_channel, arn=arn), range(CLIENTS))
    assert sorted(map(str, codes)) == ["None"] + ["ResourceNotFoundException"] * (CLIENTS - 1)


def test_accounts_stay_apart_while_both_are_busy(world):
    """Three clients of each account make, rename and delete stages; each knows what it has left."""

    def work(job):
        account, number = job
        dice, mine = random.Random(SEED + number), {}
        client = world.new_client(account, "ivs-realtime")
        for _ in range(25):
            if len(mine) < 2 and dice.random() < 0.6:
                name = f"{account}-{dice.randrange(1000)}"
                mine[client.create_stage(name=name)["stage"]["arn"]] = name
            elif mine:
                arn = dice.choice(sorted(mine))
                if dice.random() < 0.5:
                    client.delete_stage(arn=arn)
                    del mine[arn]
                else:
                    mine[arn] = f"{account}-renamed-{dice.randrange(1000)}"
                    client.update_stage(arn=arn, name=mine[arn])
            listed = [stage["name"] for stage in client.list_stages()["stages"]]
            assert all(name.startswith(account) for name in listed)
        return account, mine

    left = {account: {} for account in ACCOUNTS}
    for account, mine in at_once(work, [(account, n) for account in ACCOUNTS for n in range(3)]):
        left[account].update(mine)
    for account in ACCOUNTS:
        client = world.client(account, "ivs-realtime")
        assert {stage["arn"]: stage["name"] for stage in client.list_stages()["stages"]} == left[account]
        for arn in left[account]:
            client.delete_stage(arn=arn)


def ended(sessions):
    """Whether so many compositions said that they ended."""
    return lambda found: sessions == sum(
        event["detail"].get("event_name") in ("Session End", "Session Failure") for _, event in found)


def run_compositions(world, count):
    """Starts and stops that many in each account, all at once."""

    def run(account):
        realtime = world.new_client(account, "ivs-realtime")
        stage = realtime.create_stage()["stage"]["arn"]
        channel = world.new_client(account, "ivs").create_channel()["channel"]["arn"]
        encoder = realtime.create_encoder_configuration(video=SMALL)["encoderConfiguration"]["arn"]
        started = st.start(realtime, stage, st.to_channel(channel, encoder))["arn"]
        st.wait_for_state(realtime, started, "ACTIVE")
        st.stop(realtime, started)
        realtime.delete_encoder_configuration(arn=encoder)
        return account, started

    return at_once(run, [account for account in ACCOUNTS for _ in range(count)])


def test_events_have_no_gap_and_stay_with_their_account(world):
    compositions = run_compositions(world, 2)
    seen = {account: read_events(world.server.http, account, ended(2)) for account in ACCOUNTS}
    world.restart(kill=True)
    compositions += run_compositions(world, 1)
    for account in ACCOUNTS:
        last, _ = seen[account][-1]
        both = seen[account] + read_events(world.server.http, account, ended(1), after=last)
        assert [number for number, _ in both] == list(range(1, len(both) + 1))
        assert {event["account"] for _, event in both} == {account}
        assert read_events(world.server.http, account, lambda found: len(found) == len(both)) == both
        for owner, arn in compositions:
            names = [event["detail"]["event_name"] for _, event in both if event["resources"] == [arn]]
            wanted = ["Session Start", "Destination Start", "Destination End", "Session End"]
            assert sorted(names) == (sorted(wanted) if owner == account else [])
            assert owner != account or names[-1] == "Session End"
