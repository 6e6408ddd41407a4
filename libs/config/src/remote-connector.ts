import { isAbsolute, resolve, sep } from 'node:path';
import type { z } from 'zod';
import { connectorFaults, type ConnectorFault } from './connector-faults.ts';
import { connector } from './connector.ts';
import type { Config } from './load.ts';
import type { secretReference } from './secret-reference.ts';

/** What came of looking at a connector that somebody wants to make through the API. */
export type RemoteConnector =
  | { readonly kind: 'sound'; readonly connector: Config['bridges'][number] }
  | { readonly kind: 'faulty'; readonly faults: readonly ConnectorFault[] };

/** The settings that bound what such a connector may name. */
export type RemotePolicy = Pick<Config['bridge'], 'secrets' | 'allowedHosts'>;

type Known = z.output<typeof connector>;
type Secret = z.output<typeof secretReference>;
type Path = ConnectorFault['path'];

/**
 * Checks a connector that comes through the API as the configuration is checked, and adds its defaults.
 *
 * @remarks Whoever may make connectors has a key of the API, but not the machine: the connector may name files, variables and
 * hosts only as far as the configuration of the node lets it.
 */
export function checkRemoteConnector(value: unknown, policy: RemotePolicy): RemoteConnector {
  const parsed = connector.safeParse(value);
  if (!parsed.success) return { kind: 'faulty', faults: parsed.error.issues.flatMap(faultsOf) };
  const faults = [
    ...connectorFaults(parsed.data),
    ...filesOf(parsed.data).flatMap(([path, file]) => fileFaults(path, file, policy)),
    ...secretsOf(parsed.data).flatMap(([path, secret]) => secretFaults(path, secret, policy)),
    ...hostsOf(parsed.data).flatMap(([path, host]) => hostFaults(path, host, policy)),
  ];
  return faults.length === 0
    ? { kind: 'sound', connector: parsed.data }
    : { kind: 'faulty', faults };
}

function faultsOf(issue: z.core.$ZodIssue): readonly ConnectorFault[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], problem: 'is not a known key' }));
  }
  return [{ path, problem: issue.message }];
}

function filesOf(known: Known): readonly (readonly [Path, string])[] {
  const tls = known.kind === 'kafka' ? known.tls : undefined;
  const files: (readonly [Path, string | undefined])[] =
    known.kind === 'kafka'
      ? [
          [['tls', 'caFile'], tls?.caFile],
          [['tls', 'certFile'], tls?.certFile],
          [['tls', 'keyFile'], tls?.keyFile],
          [['schemaRegistry', 'caFile'], known.schemaRegistry?.caFile],
        ]
      : [[['caFile'], known.caFile]];
  return present(files);
}

function present<Value>(
  found: readonly (readonly [Path, Value | undefined])[],
): readonly (readonly [Path, Value])[] {
  return found.flatMap(([path, value]) => (value === undefined ? [] : [[path, value] as const]));
}

function secretsOf(known: Known): readonly (readonly [Path, Secret])[] {
  switch (known.kind) {
    case 'kafka': {
      const { sasl, schemaRegistry } = known;
      const secrets: (readonly [Path, Secret | undefined])[] = [
        [['schemaRegistry', 'password'], schemaRegistry?.password],
      ];
      if (sasl !== undefined && 'token' in sasl) secrets.push([['sasl', 'token'], sasl.token]);
      if (sasl !== undefined && 'password' in sasl) {
        secrets.push([['sasl', 'password'], sasl.password]);
      }
      return present(secrets);
    }
    case 'webhook': {
      const headers = Object.entries(known.headers).flatMap(([name, value]) =>
        typeof value === 'string' ? [] : [[['headers', name], value] as const],
      );
      return typeof known.url === 'string' ? headers : [[['url'], known.url], ...headers];
    }
    case 'rabbitmq':
      return typeof known.url === 'string' ? [] : [[['url'], known.url]];
  }
}

/** Hosts that are stated; those of a URL in a secret are whoever's keeps the secret. */
function hostsOf(known: Known): readonly (readonly [Path, string])[] {
  if (known.kind === 'kafka') {
    const brokers = known.brokers.map((broker, index): readonly [Path, string] => [
      ['brokers', String(index)],
      broker.slice(0, broker.lastIndexOf(':')),
    ]);
    const { schemaRegistry } = known;
    if (schemaRegistry === undefined) return brokers;
    return [...brokers, [['schemaRegistry', 'url'], new URL(schemaRegistry.url).hostname]];
  }
  return typeof known.url === 'string' ? [[['url'], new URL(known.url).hostname]] : [];
}

function fileFaults(path: Path, file: string, { secrets }: RemotePolicy): ConnectorFault[] {
  const { dir } = secrets;
  if (dir === undefined) {
    const problem =
      'names a file, and bridges made through the API may name none: set bridge.secrets.dir (SKEIN_BRIDGE_SECRETS_DIR)';
    return [{ path, problem }];
  }
  const isWithin = isAbsolute(file) && resolve(file).startsWith(resolve(dir) + sep);
  if (isWithin && !file.includes('\0')) return [];
  return [{ path, problem: 'must be an absolute path of a file within bridge.secrets.dir' }];
}

function secretFaults(path: Path, secret: Secret, policy: RemotePolicy): ConnectorFault[] {
  if ('file' in secret) return fileFaults([...path, 'file'], secret.file, policy);
  const { envPrefix } = policy.secrets;
  if (secret.env.startsWith(envPrefix)) return [];
  const problem = `must begin with ${envPrefix}, as bridge.secrets.envPrefix says`;
  return [{ path: [...path, 'env'], problem }];
}

function hostFaults(path: Path, host: string, { allowedHosts }: RemotePolicy): ConnectorFault[] {
  // IPv6 addresses stand in brackets or not.
  const name = host.toLowerCase().replace(/^\[(.*)\]$/u, '$1');
  const isAllowed = allowedHosts.some((pattern) => {
    const allowed = pattern.toLowerCase();
    if (allowed === '*') return true;
    return allowed.startsWith('*.') ? name.endsWith(allowed.slice(1)) : name === allowed;
  });
  if (isAllowed) return [];
  return [{ path, problem: 'leads to a host that is none of bridge.allowedHosts' }];
}
