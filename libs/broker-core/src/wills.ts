import type { Will } from '#libs/mqtt-codec';

/** A will that waits for its delay to pass or its client to come back [MQTT-3.1.3-9]. */
export interface PendingWill {
  readonly will: Will;
  readonly dueAtMs: number;
}
