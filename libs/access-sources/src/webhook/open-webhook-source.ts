import { readFileSync } from 'node:fs';
import net from 'node:net';
import type { OpenedSource, SourceFault } from '../source-fault.ts';
import { isPublicAddress } from './public-address.ts';
import { WebhookClient } from './webhook-client.ts';
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
  parts: Omit<WebhookSourceParts, 'client'>,
): OpenedSource<WebhookSource> {
  const url = new URL(settings.url);
  const fault = placeFault(url, settings.allowPrivate);
  if (fault !== undefined) return { kind: 'faulty', fault };
  const { caFile, allowPrivate, timeoutMs } = settings;
  let ca: string | undefined;
  try {
    ca = caFile === undefined ? undefined : readFileSync(caFile, 'utf8');
  } catch {
    const fix = 'name a PEM file with the certificates of authorities';
    return { kind: 'faulty', fault: { field: 'caFile', problem: 'cannot be read', fix } };
  }
  const client = new WebhookClient({ url, headers, ca, allowPrivate, timeoutMs });
  return { kind: 'opened', source: new WebhookSource({ ...parts, client }) };
}

/** What can be told without looking up a name. */
function placeFault({ protocol, hostname }: URL, allowPrivate: boolean): SourceFault | undefined {
  if (allowPrivate) return undefined;
  const field = 'url';
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === 'localhost' || (net.isIP(host) !== 0 && !isPublicAddress(host))) {
    const fix = 'set allowPrivate: true if that is meant';
    return { field, problem: `leads to ${host}, which is no address of the internet`, fix };
  }
  if (protocol === 'https:') return undefined;
  const fix = 'take https:, or set allowPrivate: true if the endpoint is in a private network';
  return { field, problem: 'would carry passwords over the internet as they are', fix };
}
