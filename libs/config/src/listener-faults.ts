import type { z } from 'zod';
import type { ConfigFault } from './config-error.ts';
import type { furtherListener } from './listener-section.ts';
import type { schema } from './schema.ts';

type Settings = Pick<z.output<typeof schema>, 'listeners' | 'tls'>;
type Listener = z.output<typeof furtherListener>;

const NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** Finds what is wrong between the settings of listeners. */
export function listenerFaults({ listeners, tls }: Settings): ConfigFault[] {
  const { ticketSecret } = tls;
  const entries: [string, Listener][] = Object.entries(listeners);
  const faults = entries.flatMap(([name, listener]) => [
    ...nameFaults(name),
    ...proxyFaults(`listeners.${name}.proxyFrom`, listener),
    ...tlsFaults(`listeners.${name}.tls`, listener.enabled ? listener.tls : undefined),
  ]);
  if (ticketSecret.file !== undefined && ticketSecret.env !== undefined) {
    faults.push({
      field: 'tls.ticketSecret',
      problem: 'names a file and a variable',
      fix: 'remove one of them',
    });
  }
  return faults;
}

function nameFaults(name: string): ConfigFault[] {
  if (NAME.test(name)) return [];
  const problem = 'is not a name for a listener';
  return [{ field: `listeners.${name}`, problem, fix: 'take 1 to 32 of a-z, 0-9 and hyphens' }];
}

function proxyFaults(field: string, { proxyProtocol, proxyFrom }: Listener): ConfigFault[] {
  if (proxyProtocol === 'off' || proxyFrom.length > 0) return [];
  const problem = 'is required by proxyProtocol: required';
  return [{ field, problem, fix: 'name the addresses of the proxies, for example 10.0.0.0/8' }];
}

function tlsFaults(field: string, tls: Listener['tls'] | undefined): ConfigFault[] {
  if (tls === undefined) return [];
  const faults: ConfigFault[] = [];
  const need = (key: 'certFile' | 'keyFile' | 'caFile', isNeeded: boolean, why: string): void => {
    if (!isNeeded || tls[key] !== undefined) return;
    const problem = `is required ${why}`;
    faults.push({ field: `${field}.${key}`, problem, fix: 'name a PEM file, see docs/tls.md' });
  };
  need('certFile', true, 'by a TLS listener that is enabled');
  need('keyFile', true, 'by a TLS listener that is enabled');
  need('caFile', tls.clientCertificate !== 'none', 'to check certificates of clients');
  need('caFile', tls.crlFile !== undefined, 'by crlFile');
  return faults.filter((each, at) => faults.findIndex((one) => one.field === each.field) === at);
}
