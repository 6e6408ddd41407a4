import { readFileSync } from 'node:fs';
import { WebhookClient, placeFault } from '#libs/webhook-client';
import type { OpenedSource, SourceFault } from '../source-fault.ts';
import { WebhookSource, type WebhookSourceParts } from './webhook-source.ts';

/** Where the endpoint is. */
export interface WebhookSettings {
  readonly url: string;
  readonly allowPrivate: boolean;
  readonly caFile?: string | undefined;
  readonly timeoutMs: number;
}

/** Makes a source that asks an HTTP endpoint; nobody is asked before the first client comes. */
export function openWebhookSource(
  settings: WebhookSettings,
  /** Headers as they are now, secrets included. */
  headers: () => Readonly<Record<string, string>>,
  parts: Omit<WebhookSourceParts, 'post'>,
): OpenedSource<WebhookSource> {
  const url = new URL(settings.url);
  const fault = settings.allowPrivate ? undefined : sourceFault(url);
  if (fault !== undefined) return { kind: 'faulty', fault };
  const { caFile, allowPrivate, timeoutMs } = settings;
  let ca: string | undefined;
  try {
    ca = caFile === undefined ? undefined : readFileSync(caFile, 'utf8');
  } catch {
    const fix = 'name a PEM file with the certificates of authorities';
    return { kind: 'faulty', fault: { field: 'caFile', problem: 'cannot be read', fix } };
  }
  const client = new WebhookClient({ url, ca, allowPrivate, timeoutMs });
  const post = (body: string) => client.post({ body, headers: headers() });
  return { kind: 'opened', source: new WebhookSource({ ...parts, post }) };
}

/** What can be told without looking up a name. */
function sourceFault(url: URL): SourceFault | undefined {
  const fault = placeFault(url);
  if (fault === undefined) return undefined;
  const fix =
    fault.kind === 'private'
      ? 'set allowPrivate: true if that is meant'
      : 'take https:, or set allowPrivate: true if the endpoint is in a private network';
  return { field: 'url', problem: fault.problem, fix };
}
