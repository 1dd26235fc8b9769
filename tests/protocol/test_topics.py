import pytest

from overt.protocol import topics
from overt.protocol.errors import Malformed
from overt.protocol.topics import Down, Topic, Up


@pytest.mark.parametrize("leaf", [*Up, *Down])
def test_a_topic_is_read_back_as_it_was_written(leaf: Up | Down) -> None:
    topic = Topic(force="a-force", unit="unit-1", leaf=leaf)
    assert topics.parse(str(topic)) == topic


@pytest.mark.parametrize(
    "text",
    ["", "overt/v1/f/u", "overt/v1/f/u/alert/x", "overt/v2/f/u/alert", "overt/v1//u/alert", "overt/v1/f/u/secret"],
)
def test_any_other_topic_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        topics.parse(text)


def test_p4_an_alert_is_never_retained() -> None:
    assert Up.ALERT not in topics.RETAINED
