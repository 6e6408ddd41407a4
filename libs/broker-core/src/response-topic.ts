const PREFIX = '$response/';

/** The private topic of a request: answers of devices come there, to the node that asks. */
export function responseTopicOf(nodeId: string, token: string): string {
  return `${PREFIX}${nodeId}/${token}`;
}

/** Whether a topic, or a filter, is below those topics; wildcards in the first level do not find them [MQTT-4.7.2-1]. */
export function isResponseTopic(name: string): boolean {
  return name.startsWith(PREFIX);
}
