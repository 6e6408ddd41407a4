"""One connection of Debian's python3-paho-mqtt, told by a JSON object on the command line.

{"port", "level", "clientId", "clean", "will", "subscribe": [[filter, qos]], "publish": [{"topic", "text", "qos", "retain",
"alias", "user"}]}

It subscribes, publishes, waits for the acknowledgements, and then stays if it has subscribed to something. What happens is
told in lines: "subscribed", "> topic q1 r0 text", "user name=value ..." after a message that has user properties.
"""

import json
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

LEVELS = {3: mqtt.MQTTv31, 4: mqtt.MQTTv311, 5: mqtt.MQTTv5}
WAIT_SECONDS = 10

told = json.loads(sys.argv[1])
level = told["level"]


def say(line):
    print(line, flush=True)


def on_message(_client, _userdata, message):
    text = message.payload.decode()
    say(f"> {message.topic} q{message.qos} r{int(message.retain)} {text}")
    user = getattr(getattr(message, "properties", None), "UserProperty", [])
    if user:
        say("user " + " ".join(f"{name}={value}" for name, value in user))


def properties_of(packet_type, alias=None, user=()):
    if level < 5:
        return None
    properties = Properties(packet_type)
    if alias is not None:
        properties.TopicAlias = alias
    if user:
        properties.UserProperty = [tuple(pair) for pair in user]
    return properties


own = {} if level == 5 else {"clean_session": told.get("clean", True)}
client = mqtt.Client(client_id=told.get("clientId", ""), protocol=LEVELS[level], **own)
client.on_message = on_message
client.on_connect = lambda *_: say("connected")
client.on_subscribe = lambda *_: say("subscribed")
will = told.get("will")
if will is not None:
    properties = properties_of(PacketTypes.WILLMESSAGE, user=will.get("user", ()))
    client.will_set(will["topic"], will["text"], will["qos"], will["retain"], properties)
start = {"clean_start": told.get("clean", True)} if level == 5 else {}
client.connect("127.0.0.1", told["port"], keepalive=60, **start)
client.loop_start()
for filter, qos in told.get("subscribe", []):
    client.subscribe(filter, qos)
for message in told.get("publish", []):
    properties = properties_of(PacketTypes.PUBLISH, message.get("alias"), message.get("user", ()))
    published = client.publish(
        message["topic"], message["text"], message["qos"], message["retain"], properties
    )
    published.wait_for_publish(WAIT_SECONDS)
    if not published.is_published():
        sys.exit("not acknowledged")
if told.get("subscribe"):
    sys.stdin.read()
client.disconnect()
client.loop_stop()
