"""What a message means: bytes, trusted values, and what was seen before, in; events, and what to remember, out.

Pure: no socket, no file, no clock. Nothing is decoded before its signature is known to be good.
"""

from overt.protocol import topics
from overt.protocol.errors import Malformed, ProtocolError
from overt.protocol.topics import Topic, Up
from overt.protocol.vocabulary import Refusal
from overt_controlroom.alerts import judge_alert
from overt_controlroom.reports import judge_report
from overt_controlroom.seen import Seen
from overt_controlroom.trust import Trust
from overt_controlroom.verdict import Message, Verdict, refusal


def judge(message: Message, trust: Trust, identity: str, seen: Seen) -> Verdict:
    """Judge one message.

    Args:
        message: As it came.
        trust: What to hold it against.
        identity: The control room's age identity, for alerts.
        seen: What was seen before.
    """
    try:
        topic = _own_topic(message.topic, trust)
        if topic.leaf is Up.ALERT:
            return judge_alert(message, topic.unit, trust, identity, seen)
        return judge_report(message, topic, trust, seen)
    except ProtocolError as error:
        return Verdict((refusal(message, error),))


def _own_topic(text: str, trust: Trust) -> Topic:
    topic = topics.parse(text)
    if topic.force != trust.force:
        raise ProtocolError(Refusal.WRONG_FORCE, f"expected a topic of {trust.force}, found another force's")
    if not isinstance(topic.leaf, Up):
        raise Malformed("expected something that a unit publishes, found a topic that it listens to")
    return topic
