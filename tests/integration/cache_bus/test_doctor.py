from infra.doctor.findings import Status
from infra.doctor.services import check_cache
from infra.settings_loading import load_settings
from tests.support.hazelcast import Member

KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


async def test_a_member_that_lets_the_node_in_is_reported_with_its_version(member: Member) -> None:
    settings = load_settings(hazelcast_members=member.address, hazelcast_cluster=member.cluster_name, secret_key=KEY)
    (found,) = await check_cache(settings, 30)
    assert (found.status, found.message.endswith("answers (Hazelcast 5.7.0), 1 member")) == (Status.OK, True)
    (another,) = await check_cache(settings.model_copy(update={"hazelcast_cluster": "another"}), 1)
    assert another.status is Status.ERROR
