"""Publishes texts with one topic alias through Debian's libpaho-mqtt, whose programs have no option for it.

usage: paho_c_alias.py PORT TOPIC TEXT...; the first PUBLISH sets the alias, the others have no topic. Each is acknowledged.
"""

import ctypes
import sys
from ctypes import Structure, Union, byref, c_char, c_char_p, c_int, c_ubyte, c_uint, c_ushort, c_void_p

TOPIC_ALIAS = 35
WAIT_MS = 10_000


class LenString(Structure):
    _fields_ = [("len", c_int), ("data", c_char_p)]


class Pair(Structure):
    _fields_ = [("data", LenString), ("value", LenString)]


class Value(Union):
    _fields_ = [("byte", c_ubyte), ("integer2", c_ushort), ("integer4", c_uint), ("pair", Pair)]


class Property(Structure):
    _fields_ = [("identifier", c_int), ("value", Value)]


class Properties(Structure):
    _fields_ = [("count", c_int), ("max_count", c_int), ("length", c_int), ("array", c_void_p)]


class Response(Structure):
    _fields_ = [
        ("version", c_int),
        ("reasonCode", c_int),
        ("reasonCodeCount", c_int),
        ("reasonCodes", c_void_p),
        ("properties", c_void_p),
    ]


class CreateOptions(Structure):
    _fields_ = [("struct_id", c_char * 4), ("struct_version", c_int), ("MQTTVersion", c_int)]


class Returned(Structure):
    _fields_ = [("serverURI", c_char_p), ("MQTTVersion", c_int), ("sessionPresent", c_int)]


class Password(Structure):
    _fields_ = [("len", c_int), ("data", c_void_p)]


class ConnectOptions(Structure):
    """MQTTClient_connectOptions up to its version 6."""

    _fields_ = [
        ("struct_id", c_char * 4),
        ("struct_version", c_int),
        ("keepAliveInterval", c_int),
        ("cleansession", c_int),
        ("reliable", c_int),
        ("will", c_void_p),
        ("username", c_char_p),
        ("password", c_char_p),
        ("connectTimeout", c_int),
        ("retryInterval", c_int),
        ("ssl", c_void_p),
        ("serverURIcount", c_int),
        ("serverURIs", c_void_p),
        ("MQTTVersion", c_int),
        ("returned", Returned),
        ("binarypwd", Password),
        ("maxInflightMessages", c_int),
        ("cleanstart", c_int),
    ]


def check(code, what):
    if code != 0:
        sys.exit(f"{what}: {code}")


port, topic, *texts = sys.argv[1:]
paho = ctypes.CDLL("libpaho-mqtt3c.so.1")
paho.MQTTClient_connect5.restype = Response
paho.MQTTClient_publish5.restype = Response

client = c_void_p()
address = f"tcp://127.0.0.1:{port}".encode()
create = CreateOptions(b"MQCO", 0, 5)
check(
    paho.MQTTClient_createWithOptions(byref(client), address, b"paho-c-alias", 1, None, byref(create)),
    "create",
)
options = ConnectOptions(b"MQTC", 6, 60, 0, 1, connectTimeout=10, MQTTVersion=5, maxInflightMessages=-1, cleanstart=1)
check(paho.MQTTClient_connect5(client, byref(options), None, None).reasonCode, "connect")

properties = Properties()
alias = Property(TOPIC_ALIAS, Value(integer2=1))
check(paho.MQTTProperties_add(byref(properties), byref(alias)), "property")
for index, text in enumerate(texts):
    name = topic.encode() if index == 0 else b""
    payload = text.encode()
    token = c_int()
    sent = paho.MQTTClient_publish5(
        client, name, len(payload), payload, 2, 0, byref(properties), byref(token)
    )
    check(sent.reasonCode, "publish")
    check(paho.MQTTClient_waitForCompletion(client, token, ctypes.c_ulong(WAIT_MS)), "acknowledgement")
paho.MQTTClient_disconnect(client, WAIT_MS)
