"""Tell people: one message, through every channel that ``notify.yaml`` has for its topic.

A channel is a web hook (Teams, PagerDuty, Google Chat, or plain JSON), mail, or any notifier of Airflow. A message may
come twice, never in silence not at all: its key and number tell the receiver that it is the same one::

    from nightshift.notify.message import Message
    from nightshift.notify.send import tell

    problems = tell(Message(key=f"{run_id}/TEST", topic="promotions", title="TEST waits for an approval", link=url))
"""
