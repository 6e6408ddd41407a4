import type { ApiState } from '#libs/broker-ports';
import type { ApiMeter } from '#libs/metrics-prom';
import { silentLog } from '#libs/testkit';
import type { Cluster } from '../../apps/api/src/cluster/cluster.ts';
import { WebhookSecrets } from '../../apps/api/src/webhooks/webhook-secrets.ts';
import { Webhooks } from '../../apps/api/src/webhooks/webhooks.ts';
import { KEY } from './api-harness.ts';

/** Webhooks of which none is told of anything. */
export function idleWebhooks(parts: {
  readonly cluster: Cluster;
  readonly state: ApiState;
  readonly meter: ApiMeter;
}): Webhooks {
  const secrets = new WebhookSecrets(async () => KEY);
  return new Webhooks({ ...parts, secrets, allowPrivate: false, log: silentLog, now: Date.now });
}
